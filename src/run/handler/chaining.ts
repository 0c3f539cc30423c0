import { SpindleError } from '../../errors.ts'
import type { Budget } from '../budget.ts'
import type { Place } from '../http/limiter.ts'

// Components that call each other in a cycle would otherwise continue until memory is exhausted.
const MAX_HOPS = 16

/** A request from outside and the requests that components send to each other for it: they share one place. */
interface RequestTree {
  place: Place | undefined
  /** Counts one running request until the returned function is called. The last one releases the place. */
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

/** The request on whose behalf a component sends another one to its own application. */
export interface Origin {
  /** Requests between this one and the one from outside, plus one. */
  readonly depth: number
  /** The request from outside. */
  readonly first: Request
  /** Charged for what the sent requests take. */
  readonly budget: Budget
  readonly tree: RequestTree
  /** Aborts when the request fails. */
  readonly signal: AbortSignal
  /** Called when the request has ended, to stop those whose response nobody takes any more. */
  readonly waiting: Set<() => void>
}

/** Remembers which requests come from components of the application itself. */
export interface Chaining {
  /** `undefined` for a request from outside. */
  originOf(request: Request): Origin | undefined
  /** Calls `next` with a request that is sent on behalf of `origin`. Throws `ERR_LIMIT_EXCEEDED` when nested too deep. */
  send(
    origin: Origin,
    request: Request,
    next: (request: Request) => Promise<Response>,
  ): Promise<Response>
}

export function createChaining(): Chaining {
  const origins = new WeakMap<Request, Origin>()
  return {
    originOf: (request) => origins.get(request),
    send(origin, request, next) {
      if (origin.depth > MAX_HOPS)
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          `components call each other more than ${MAX_HOPS} deep`,
        )
      origins.set(request, origin)
      return next(request)
    },
  }
}
