/** Requests by method; writes are those that change what is stored. */
export function createCounter() {
  const counts = new Map()
  return {
    fetch: (request) => {
      counts.set(request.method, (counts.get(request.method) ?? 0) + 1)
      return fetch(request)
    },
    take: () => {
      const all = Object.fromEntries(counts)
      counts.clear()
      const { GET: _, HEAD: __, ...writes } = all
      const sum = (group) => Object.values(group).reduce((a, b) => a + b, 0)
      const list = Object.entries(all).map(([method, count]) => `${count} ${method}`)
      return { text: list.join(', ') || 'no request', writes: sum(writes) }
    },
  }
}

/** Bytes and blobs that went over the wire. */
export function createMeter() {
  const blobs = new Map()
  return {
    onProgress: (event) => {
      if (event.type === 'blob') blobs.set(event.descriptor.digest, event)
    },
    take: () => {
      const sent = [...blobs.values()].filter((event) => event.status === 'done')
      const bytes = sent.reduce((sum, event) => sum + event.descriptor.size, 0)
      const text = `${sent.length} of ${blobs.size} blobs sent, ${bytes} bytes`
      blobs.clear()
      return { text, sent: sent.length }
    },
  }
}
