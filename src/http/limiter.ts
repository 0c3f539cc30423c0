import { wait } from './timing.ts'

/** Milliseconds between requests after a first 429: the rate of GHCR, 2000 per minute. */
const FIRST_GAP = 30
/** Most milliseconds between requests. */
const MAX_GAP = 1000

/** Limits the rate of requests to one host: a 429 slows all concurrent requests. */
export interface Limiter {
  /** Resolves when the next request can be sent. */
  readonly turn: (signal?: AbortSignal) => Promise<void>
  /** Pauses for some milliseconds and lowers the rate, after a 429. */
  readonly slow: (milliseconds: number) => void
  /** Raises the rate, after a success. */
  readonly ease: () => void
}

/** Creates a limiter without a limit: the first `slow` sets one. */
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
