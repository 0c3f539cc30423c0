/** Lets a number of requests run at once; the others queue in order. */
export interface Limiter {
  /** Resolves to what gives the place back. Rejects with `signal.reason` when aborted before. */
  acquire(signal: AbortSignal): Promise<() => void>
}

export function createLimiter(limit: number): Limiter {
  if (!Number.isInteger(limit) || limit < 1)
    throw new TypeError(`"concurrency" must be a positive integer, not ${limit}`)
  let running = 0
  const queue = new Set<() => void>()
  const release = (): (() => void) => {
    let held = true
    return () => {
      if (!held) return
      held = false
      running--
      const [next] = queue
      next?.()
    }
  }
  return {
    async acquire(signal) {
      signal.throwIfAborted()
      if (running >= limit) {
        await new Promise<void>((resolve, reject) => {
          const onAbort = (): void => {
            queue.delete(go)
            reject(signal.reason)
          }
          const go = (): void => {
            queue.delete(go)
            signal.removeEventListener('abort', onAbort)
            // Taken here, so that nobody else comes in before the waiter goes on.
            running++
            resolve()
          }
          queue.add(go)
          signal.addEventListener('abort', onAbort, { once: true })
        })
        return release()
      }
      running++
      return release()
    },
  }
}
