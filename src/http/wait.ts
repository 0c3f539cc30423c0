import { whenAborted } from '../bytes/abort.ts'

/** Rejects with the signal's reason as soon as it aborts, whatever the work goes on to do. */
export async function raceAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  let stopWaiting = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    const stop = (): void => reject(signal.reason)
    if (signal.aborted) stop()
    else stopWaiting = whenAborted(signal, stop)
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    stopWaiting()
    // Nobody waits for the loser any more; its failure is no one's news.
    work.catch(() => {})
    aborted.catch(() => {})
  }
}

/** Resolves after some milliseconds, or rejects with the signal's reason. */
export async function wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    await raceAbort(
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, milliseconds)
      }),
      signal,
    )
  } finally {
    clearTimeout(timer)
  }
}
