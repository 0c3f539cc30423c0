import { ResponseError, SpindleError } from '../errors.ts'
import type { RetryOptions, Transport } from '../types.ts'
import { isOfCertificate } from './network-error.ts'
import { wait } from './timing.ts'

const DEFAULT_MAX_RETRIES = 2
const DEFAULT_MAX_DELAY = 60_000

/** Statuses below 500 that are retried: timeout, too early, rate limit. */
const RETRIED = [408, 425, 429]
/** Statuses above 499 that are final: not implemented, version not supported. */
const FINAL = [501, 505]

interface AgainOptions {
  readonly signal?: AbortSignal | undefined
  /** Failures to retry in addition to transient ones. */
  readonly also?: (error: unknown) => boolean
}

/**
 * Whether to repeat work after a failure of attempt `n` (1-based); if so, waits for the delay
 * first.
 */
export type Again = (error: unknown, attempt: number, options?: AgainOptions) => Promise<boolean>

/** Creates the retry policy of a transport. */
export function createRetry(options: RetryOptions | false = {}): Again {
  if (options === false) return async () => false
  const {
    limit = DEFAULT_MAX_RETRIES,
    delay = defaultDelay,
    maxDelay = DEFAULT_MAX_DELAY,
  } = options
  if (!Number.isInteger(limit) || limit < 0)
    throw new TypeError(`"retry.limit" must be a whole number of 0 or more, not ${limit}`)
  return async (error, attempt, { signal, also } = {}) => {
    if (attempt > limit || !(isTransient(error) || also?.(error) === true)) return false
    const asked = error instanceof ResponseError ? error.retryAfter : undefined
    // A shorter wait than requested would fail again.
    if (asked !== undefined && asked > maxDelay) return false
    await wait(asked ?? delay(attempt), signal)
    return true
  }
}

interface WithRetriesOptions {
  readonly signal?: AbortSignal | undefined
  /** Retries these failures and no others. Default: what `again` retries. */
  readonly only?: (error: unknown) => boolean
}

/**
 * Repeats work of one or more requests until it succeeds or `again` allows no further attempt.
 * Rejects with the last failure, or with `signal.reason` when aborted.
 */
export async function withRetries<T>(
  transport: Pick<Transport, 'again'>,
  { signal, only }: WithRetriesOptions,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      signal?.throwIfAborted()
      const options = only === undefined ? { signal } : { signal, also: only }
      if (only?.(error) === false || !(await transport.again(error, attempt, options))) throw error
    }
  }
}

/** Whether a status is retried. */
export function isTransientStatus(status: number): boolean {
  return RETRIED.includes(status) || (status >= 500 && status < 600 && !FINAL.includes(status))
}

/** Whether a failure is retried: no response, no response in time, or a transient status. */
export function isTransient(error: unknown): boolean {
  if (error instanceof ResponseError) return isTransientStatus(error.status)
  return (
    error instanceof SpindleError &&
    (error.code === 'ERR_TIMEOUT' || (error.code === 'ERR_NETWORK' && !isOfCertificate(error)))
  )
}

/** Doubles each time, with jitter, so that concurrent requests are not repeated at once. */
function defaultDelay(attempt: number): number {
  return 250 * 2 ** (attempt - 1) * (0.75 + Math.random() / 2)
}
