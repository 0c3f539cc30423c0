import { raceAbort } from '../bytes/abort.ts'
import type { FetchLike } from '../types.ts'

/** What ends the wait for a response. */
export interface TimeLimits {
  readonly signal?: AbortSignal | undefined
  /** When the response's headers must have arrived, and what to reject with when they have not. */
  readonly deadline?: { readonly milliseconds: number; readonly error: () => Error } | undefined
}

/** Does work that knows of no deadline, and may not hear a signal either. */
export async function inTime<T>(
  { signal, deadline }: TimeLimits,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController()
  const timer = deadline && setTimeout(() => stop.abort(deadline.error()), deadline.milliseconds)
  const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
  try {
    return await raceAbort(work(both), both)
  } finally {
    clearTimeout(timer)
  }
}

/** Sends a request in its parts by a `fetch` that wants it whole. */
export async function fetchInTime(
  fetch: FetchLike,
  url: URL,
  { signal, deadline, ...init }: Omit<RequestInit, 'signal'> & TimeLimits,
): Promise<Response> {
  return inTime({ signal, deadline }, (both) => fetch(new Request(url, { ...init, signal: both })))
}
