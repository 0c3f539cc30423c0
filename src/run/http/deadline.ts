import { SpindleError } from '../../errors.ts'
import { LONGEST_TIMER } from '../longest-timer.ts'

interface Deadline {
  /** The request's, which also aborts with `ERR_TIMEOUT` when no response has begun in time. */
  readonly signal: AbortSignal
  /** The response has begun, or never will. */
  met(): void
  /** The guest has returned. */
  end(): void
}

/** `timeout` in milliseconds. */
export function createDeadline(requested: AbortSignal, timeout: number | undefined): Deadline {
  // Most have none, and a signal of our own would be a good part of what a small request costs.
  if (timeout === undefined) return { signal: requested, met() {}, end() {} }
  const abort = new AbortController()
  const onAbort = (): void => abort.abort(requested.reason)
  requested.addEventListener('abort', onAbort, { once: true })
  if (requested.aborted) onAbort()
  const timer = setTimeout(
    () => abort.abort(new SpindleError('ERR_TIMEOUT', `no response within ${timeout} ms`)),
    Math.min(timeout, LONGEST_TIMER),
  )
  return {
    signal: abort.signal,
    met: () => clearTimeout(timer),
    end: () => requested.removeEventListener('abort', onAbort),
  }
}
