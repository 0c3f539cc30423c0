import { raceAbort } from '../bytes/abort.ts'

/** Lowest rate on which timeouts are based, in bytes per millisecond: 32 KiB per second. */
export const MIN_TRANSFER_RATE = 32

/**
 * Longest delay of `setTimeout` in milliseconds, a signed 32-bit number. It fires at once above
 * that.
 */
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
