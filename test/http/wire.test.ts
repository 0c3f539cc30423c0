import { describe, expect, it } from 'vitest'
import { type Sender, setSender } from '../../src/http/sender.ts'
import { createTransport } from '../../src/http/transport.ts'
import type { FetchLike } from '../../src/types.ts'

/** A `fetch` with a sender, which refuses to be given a `Request`. */
function fetchWith(sender: Sender): FetchLike {
  const fetch = (): Promise<Response> => Promise.reject(new Error('a Request was made'))
  setSender(fetch, sender)
  return fetch
}

describe('a redirected upload', () => {
  for (const status of [307, 308])
    it(`is sent again completely on ${status}`, async () => {
      const bodies: string[] = []
      const { fetch } = createTransport({
        async fetch(request) {
          bodies.push(`${new URL(request.url).pathname} ${await request.text()}`)
          return request.url.endsWith('/there')
            ? new Response(null, { status: 201 })
            : new Response(null, { status, headers: { location: '/there' } })
        },
      })
      const body = new TextEncoder().encode('all of it')
      expect((await fetch({ method: 'PUT', url: 'https://r.test/here', body })).status).toBe(201)
      expect(bodies).toEqual(['/here all of it', '/there all of it'])
    })
})

describe('a fetch with a sender', () => {
  it('receives a request in its parts, and no Request', async () => {
    const given: unknown[] = []
    const sender: Sender = async (url, { method, headers, body, redirect }) => {
      given.push([method, url.href, headers.get('x-a'), body, redirect])
      return new Response('all of it')
    }
    const { fetch } = createTransport({ fetch: fetchWith(sender), retry: false })
    const body = Uint8Array.of(1, 2, 3)
    const headers = { 'x-a': 'b' }
    const answer = await fetch({ method: 'PUT', url: 'https://r.test/here', headers, body })
    expect(await answer.text()).toBe('all of it')
    expect(given).toEqual([['PUT', 'https://r.test/here', 'b', body, 'manual']])
  })
})

describe('an invalid Content-Length', () => {
  it('is sent unchanged', async () => {
    const given: unknown[] = []
    const sender: Sender = async (_, { headers }) => {
      given.push(headers.get('content-length'))
      return new Response(null, { status: 201 })
    }
    const { fetch } = createTransport({ fetch: fetchWith(sender), retry: false })
    for (const length of ['many', '3'])
      await fetch({
        method: 'PUT',
        url: 'https://r.test/',
        headers: { 'content-length': length },
        body: new Blob(['all']).stream(),
      })
    expect(given).toEqual(['many', '3'])
  })
})

describe('the timeout', () => {
  it('is not shorter for an upload that exceeds the range of timers', async () => {
    const given: number[] = []
    const sender: Sender = async (_, { deadline }) => {
      given.push(deadline!.milliseconds)
      return new Response(null, { status: 201 })
    }
    const { fetch } = createTransport({ fetch: fetchWith(sender), retry: false })
    for (const size of [0, 2 ** 20, 2 ** 50])
      await fetch({
        method: 'PUT',
        url: 'https://r.test/',
        body: { size, stream: () => new ReadableStream() },
      })
    expect(given).toEqual([30_000, 30_000 + 2 ** 15, 2 ** 31 - 1])
  })

  it('is a number of milliseconds, or disabled by false', () => {
    for (const timeout of [0, -1, NaN, Infinity])
      expect(() => createTransport({ timeout })).toThrow(/"timeout" must be milliseconds or false/)
    expect(() => createTransport({ timeout: false })).not.toThrow()
  })
})

describe('a response with too many headers', () => {
  it('is reported with the option that raises the limit', async () => {
    const { fetch } = createTransport({
      retry: false,
      fetch: async () => {
        const cause = Object.assign(new Error('overflow'), { code: 'UND_ERR_HEADERS_OVERFLOW' })
        throw new TypeError('fetch failed', { cause })
      },
    })
    await expect(fetch({ url: 'https://r.test/' })).rejects.toMatchObject({
      code: 'ERR_RESPONSE',
      message: expect.stringContaining('--max-http-header-size'),
    })
  })
})

describe('a certificate that is refused', () => {
  const attempts = async (code: string): Promise<number> => {
    let asked = 0
    const { fetch } = createTransport({
      retry: { limit: 2, delay: () => 0 },
      async fetch() {
        asked++
        throw new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) })
      },
    })
    await expect(fetch({ url: 'https://r.test/' })).rejects.toMatchObject({ code: 'ERR_NETWORK' })
    return asked
  }

  it('is not retried, unlike a broken connection', async () => {
    expect(await attempts('SELF_SIGNED_CERT_IN_CHAIN')).toBe(1)
    expect(await attempts('ECONNRESET')).toBe(3)
  })
})
