import type { DirectInit, FetchLike } from '../types.ts'
import { raceAbort } from './wait.ts'

/** Sends by a `fetch` that knows of no deadline, and may not hear a signal either. */
export async function fetchInTime(
  fetch: FetchLike,
  url: URL,
  {
    signal,
    deadline,
    ...init
  }: Omit<RequestInit, 'signal'> & Pick<DirectInit, 'signal' | 'deadline'>,
): Promise<Response> {
  const stop = new AbortController()
  const timer = deadline && setTimeout(() => stop.abort(deadline.error()), deadline.milliseconds)
  const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
  try {
    return await raceAbort(fetch(new Request(url, { ...init, signal: both })), both)
  } finally {
    clearTimeout(timer)
  }
}
