import { raceAbort } from '../bytes/abort.ts'
import type { FetchLike } from '../types.ts'

/** The slowest transfer that is waited for, in bytes per millisecond: 32 KiB a second. */
export const MIN_TRANSFER_RATE = 32

/** Milliseconds: `setTimeout` counts in a signed 32-bit number of them, and fires at once above it. */
export const MAX_TIMER = 0x7fff_ffff

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

/** Resolves after some milliseconds, or rejects with the signal's reason. */
export async function wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    await raceAbort(
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, Math.min(milliseconds, MAX_TIMER))
      }),
      signal,
    )
  } finally {
    clearTimeout(timer)
  }
}
