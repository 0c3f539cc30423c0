interface Waiting {
  readonly work: Set<() => void>
  readonly listener: () => void
}

const waiting = new WeakMap<AbortSignal, Waiting>()

/**
 * Does something as soon as a signal aborts. However many wait for one signal, it has one listener
 * of theirs: Node takes more than ten for a leak, and says so to whoever uses the library.
 * @param work Must not throw.
 * @returns What ends the waiting, and leaves nothing behind.
 */
export function whenAborted(signal: AbortSignal | undefined, work: () => void): () => void {
  if (signal === undefined) return () => {}
  const entry = waiting.get(signal) ?? listenTo(signal)
  // Wrapped, so that the same function may wait twice.
  const own = (): void => work()
  entry.work.add(own)
  return () => {
    if (!entry.work.delete(own) || entry.work.size > 0) return
    signal.removeEventListener('abort', entry.listener)
    waiting.delete(signal)
  }
}

function listenTo(signal: AbortSignal): Waiting {
  const work = new Set<() => void>()
  const listener = (): void => {
    for (const one of work) one()
  }
  signal.addEventListener('abort', listener, { once: true })
  const entry = { work, listener }
  waiting.set(signal, entry)
  return entry
}

/** Rejects with the signal's reason as soon as it aborts, whatever the work goes on to do. */
export function raceAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason)
    if (signal.aborted) stop()
    // Nobody waits for the loser any more: its failure is no one's news.
    work.then(resolve, reject).finally(whenAborted(signal, stop))
  })
}

/** When to stop waiting. */
export interface TimeLimits {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds from the start, and the error to reject with afterwards. */
  readonly deadline?: { readonly milliseconds: number; readonly error: () => Error } | undefined
}

/**
 * Runs work under a deadline: rejects when the time is over or the signal aborts, even if the work
 * ignores the signal that it is given.
 */
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
