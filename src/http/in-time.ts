import { raceAbort } from '../bytes/abort.ts'
import type { DirectInit, FetchLike } from '../types.ts'

type Limits = Pick<DirectInit, 'signal' | 'deadline'>

/** Does work that knows of no deadline, and may not hear a signal either. */
export async function inTime<T>(
  { signal, deadline }: Limits,
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
  { signal, deadline, ...init }: Omit<RequestInit, 'signal'> & Limits,
): Promise<Response> {
  return inTime({ signal, deadline }, (both) => fetch(new Request(url, { ...init, signal: both })))
}
