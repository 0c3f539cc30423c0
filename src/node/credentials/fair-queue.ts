/**
 * A bounded queue whose clients take turns: a client with a thousand items does not delay the items
 * of others by more than one.
 */
interface FairQueue<T> {
  /** @returns The item that was dropped because the queue is full: the newest of the client with the most. */
  readonly push: (client: string, item: T) => T | undefined
  readonly shift: () => T | undefined
}

export function createFairQueue<T>(limit: number): FairQueue<T> {
  /** In the order in which clients have their turn. */
  const waiting = new Map<string, T[]>()
  let size = 0
  return {
    push(client, item) {
      const own = waiting.get(client) ?? []
      own.push(item)
      waiting.set(client, own)
      if (size < limit) {
        size++
        return undefined
      }
      let longest = client
      for (const [other, items] of waiting)
        if (items.length > (waiting.get(longest)?.length ?? 0)) longest = other
      const items = waiting.get(longest) ?? own
      const dropped = items.pop()
      if (items.length === 0) waiting.delete(longest)
      return dropped
    },
    shift() {
      const next = waiting.entries().next()
      if (next.done === true) return undefined
      const [client, items] = next.value
      const item = items.shift()
      waiting.delete(client)
      if (items.length > 0) waiting.set(client, items)
      size--
      return item
    },
  }
}
