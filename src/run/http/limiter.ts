/** A slot for a running guest. While the guest waits for its client, others can run. */
export interface Place {
  /** The guest starts to wait for its client. */
  wait(): void
  /** The wait has ended. Call once per `wait`. */
  resume(): void
  /** The guest has ended. */
  release(): void
}

/** Limits the number of concurrently running guests; others queue in order. */
export interface Limiter {
  /**
   * Rejects with `signal.reason` when aborted before. `evict` is called when there are too many guests
   * that wait for their clients, and this one does so for the longest: it is to end, its place is gone.
   */
  acquire(signal: AbortSignal, evict: () => void): Promise<Place>
}

/**
 * Of guests that wait for their clients there are as many again as may run: each holds its memory, and
 * clients may be slow on purpose.
 */
export function createLimiter(limit: number): Limiter {
  if (!Number.isInteger(limit) || limit < 1)
    throw new TypeError(`"concurrency" must be a positive integer, not ${limit}`)
  let running = 0
  /** With what ends them, the one that waits for the longest first. */
  const waiting = new Map<Place, () => void>()
  const queue = new Set<() => void>()

  const makeRoom = (): void => {
    const [longest] = waiting
    if (longest === undefined || running + waiting.size < 2 * limit) return
    const [place, evict] = longest
    waiting.delete(place)
    evict()
  }

  const admit = (): void => {
    while (running < limit) {
      const [next] = queue
      if (next === undefined) return
      next()
    }
  }

  const open = (evict: () => void): Place => {
    makeRoom()
    running++
    let waits = 0
    let isOpen = true
    const place: Place = {
      wait() {
        if (!isOpen || waits++ > 0) return
        running--
        waiting.set(place, () => {
          isOpen = false
          evict()
        })
        admit()
      },
      resume() {
        if (!isOpen || --waits > 0) return
        // Can exceed the limit if others were admitted meanwhile: the guest's memory is in use anyway.
        waiting.delete(place)
        running++
      },
      release() {
        if (!isOpen) return
        isOpen = false
        if (!waiting.delete(place)) running--
        admit()
      },
    }
    return place
  }

  return {
    async acquire(signal, evict) {
      signal.throwIfAborted()
      if (running < limit) return open(evict)
      return new Promise<Place>((resolve, reject) => {
        const onAbort = (): void => {
          queue.delete(go)
          reject(signal.reason)
        }
        const go = (): void => {
          queue.delete(go)
          signal.removeEventListener('abort', onAbort)
          // Acquired here, so that no other guest is admitted before the waiter resumes.
          resolve(open(evict))
        }
        queue.add(go)
        signal.addEventListener('abort', onAbort, { once: true })
      })
    },
  }
}
