import { raceAbort } from '../bytes/abort.ts'
import { LONGEST_TIMER } from '../bytes/longest-timer.ts'

/** Resolves after some milliseconds, or rejects with the signal's reason. */
export async function wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    await raceAbort(
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, Math.min(milliseconds, LONGEST_TIMER))
      }),
      signal,
    )
  } finally {
    clearTimeout(timer)
  }
}
