/** Work of which only so much is under way at once; the rest waits in order. */
export interface Slots {
  /**
   * Calls `begin` when there is a slot, at once where one is free: each gives it back by `give`. Returns
   * what takes `begin` out of the queue again: false when it has a slot already. `begin` must not throw.
   */
  take(begin: () => void): () => boolean
  give(): void
}

export function createSlots(limit: number): Slots {
  let free = limit
  const queue = new Set<() => void>()
  return {
    take(begin) {
      if (free === 0) queue.add(begin)
      else {
        free--
        begin()
      }
      return () => queue.delete(begin)
    },
    give() {
      // A slot is handed on, so that nobody slips in before those who wait.
      const [next] = queue
      if (next === undefined) free++
      else {
        queue.delete(next)
        next()
      }
    },
  }
}
