import { raceAbort } from '../bytes/abort.ts'

/** The slowest transfer that is waited for, in bytes per millisecond: 32 KiB a second. */
export const MIN_TRANSFER_RATE = 32

/** Milliseconds: `setTimeout` counts in a signed 32-bit number of them, and fires at once above it. */
export const MAX_TIMER = 0x7fff_ffff

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
