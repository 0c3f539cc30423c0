import type { Budget } from '../budget.ts'
import type { Place } from './limiter.ts'

/** A request from outside and those that components send each other for it: they share its place. */
interface RequestTree {
  place: Place | undefined
  /** One more runs, until what this gives is called. The place is free once none does. */
  begin(): () => void
}

export function createRequestTree(): RequestTree {
  let running = 0
  const tree: RequestTree = {
    place: undefined,
    begin() {
      running++
      return () => {
        if (--running === 0) tree.place?.release()
      }
    },
  }
  return tree
}

/** Where a request of a component's comes from. */
export interface Origin {
  readonly depth: number
  /** What came from outside. */
  readonly first: Request
  /** Who pays. */
  readonly budget: Budget
  readonly tree: RequestTree
  /** Aborts when the request fails that it is sent for. */
  readonly signal: AbortSignal
  /** Called when that has ended, for those that wait for a response: nobody takes it now. */
  readonly waiting: Set<() => void>
}
