import { wait } from './timing.ts'

/** The pace that is begun with after a 429, in milliseconds between requests: GHCR's 2000 a minute. */
const FIRST_GAP = 30
const MAX_GAP = 1000

/** One per host, so that one 429 slows all workers and not only the one that met it. */
export interface Limiter {
  /** Resolves when the next request may go out. */
  readonly turn: (signal?: AbortSignal) => Promise<void>
  /** The server wants to be left alone for some milliseconds, and asked less often after. */
  readonly slow: (milliseconds: number) => void
  /** A request went well: the pace may rise again. */
  readonly ease: () => void
}

export function createLimiter(): Limiter {
  let gap = 0
  let next = 0
  return {
    async turn(signal) {
      for (;;) {
        const now = Date.now()
        if (next <= now) {
          if (gap > 0) next = now + gap
          return
        }
        await wait(next - now, signal)
      }
    },
    slow(milliseconds) {
      gap = Math.min(MAX_GAP, Math.max(FIRST_GAP, gap * 2))
      next = Math.max(next, Date.now() + milliseconds)
    },
    ease() {
      gap = gap < 1 ? 0 : gap * 0.9
    },
  }
}
