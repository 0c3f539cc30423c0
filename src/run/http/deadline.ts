import { SpindleError } from '../../errors.ts'
import { MAX_TIMER } from '../../http/timing.ts'

interface Deadline {
  /** The request's, which also aborts with `ERR_TIMEOUT` when no response has begun in time. */
  readonly signal: AbortSignal
  /**
   * Throws the signal's reason once the time is over, by the clock: where a guest gives control back
   * to the engine only, no timer fires.
   */
  assertInTime(): void
  /** Aborts the request for another reason, if it is abortable. */
  abort(reason: unknown): void
  /** The response has begun, or never will. */
  met(): void
  /** The guest has returned. */
  end(): void
}

interface DeadlineOptions {
  /** Milliseconds since the request arrived: it may have waited for this thread. Default: none. */
  readonly waited?: number | undefined
  /** Whether `abort` is called, too. Default: no, and without a timeout there is nothing to do. */
  readonly canAbort?: boolean
}

/**
 * The time that a response has to begin, from the arrival of its request on.
 *
 * @param timeout Milliseconds. `undefined` for any time.
 */
export function createDeadline(
  requested: AbortSignal,
  timeout: number | undefined,
  { waited = 0, canAbort = false }: DeadlineOptions = {},
): Deadline {
  // No signal is created: it would be a large part of the cost of a small request.
  if (timeout === undefined && !canAbort)
    return {
      signal: requested,
      assertInTime: () => requested.throwIfAborted(),
      abort() {},
      met() {},
      end() {},
    }
  const abort = new AbortController()
  const onAbort = (): void => abort.abort(requested.reason)
  requested.addEventListener('abort', onAbort, { once: true })
  if (requested.aborted) onAbort()
  const left = timeout === undefined ? Infinity : Math.max(0, timeout - waited)
  const expire = (): void =>
    abort.abort(new SpindleError('ERR_TIMEOUT', `no response within ${timeout} ms`))
  const timer = timeout === undefined ? undefined : setTimeout(expire, Math.min(left, MAX_TIMER))
  let over = performance.now() + left
  return {
    signal: abort.signal,
    assertInTime() {
      if (performance.now() >= over) expire()
      abort.signal.throwIfAborted()
    },
    abort: (reason) => abort.abort(reason),
    met() {
      clearTimeout(timer)
      over = Infinity
    },
    end: () => requested.removeEventListener('abort', onAbort),
  }
}
