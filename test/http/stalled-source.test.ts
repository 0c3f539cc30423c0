import { describe, expect, it } from 'vitest'
import { createTransportOn } from '../../src/http/transport.ts'

describe('the source of an upload in a page', () => {
  it('is cancelled on abort while it stalls', async () => {
    let left: unknown
    const stalled = new ReadableStream<Uint8Array>({ cancel: (reason) => void (left = reason) })
    const { fetch } = createTransportOn(
      { isBrowser: true },
      { fetch: async () => new Response(null, { status: 201 }) },
    )
    const stop = new AbortController()
    const sent = fetch({
      method: 'PUT',
      url: 'https://r.test/',
      body: { size: 5, stream: () => stalled },
      signal: stop.signal,
    })
    const late = new Promise((_, reject) => setTimeout(reject, 1000, new Error('still waiting')))
    const reason = new Error('enough')
    setTimeout(() => stop.abort(reason), 10)
    await expect(Promise.race([sent, late])).rejects.toBe(reason)
    expect(left).toBe(reason)
  })
})
