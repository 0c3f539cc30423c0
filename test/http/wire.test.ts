import { describe, expect, it } from 'vitest'
import { createTransport } from '../../src/http/transport.ts'
import type { DirectInit } from '../../src/types.ts'

describe('a redirected upload', () => {
  for (const status of [307, 308])
    it(`is sent again, whole, on ${status}`, async () => {
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

describe('a fetch that takes requests in parts', () => {
  it('is given them, and no Request', async () => {
    const given: unknown[] = []
    const parts = {
      async direct(url: URL, { method, headers, body, redirect }: DirectInit) {
        given.push([method, url.href, headers.get('x-a'), body, redirect])
        return new Response('all of it')
      },
    }
    const refuses = (): Promise<Response> => Promise.reject(new Error('a Request was made'))
    const { fetch } = createTransport({ fetch: Object.assign(refuses, parts), retry: false })
    const body = Uint8Array.of(1, 2, 3)
    const headers = { 'x-a': 'b' }
    const answer = await fetch({ method: 'PUT', url: 'https://r.test/here', headers, body })
    expect(await answer.text()).toBe('all of it')
    expect(given).toEqual([['PUT', 'https://r.test/here', 'b', body, 'manual']])
  })
})

describe('a length that is no number', () => {
  it('goes out as it was given, not as another', async () => {
    const given: unknown[] = []
    const parts = {
      async direct(_: URL, { headers }: DirectInit) {
        given.push(headers.get('content-length'))
        return new Response(null, { status: 201 })
      },
    }
    const refuses = (): Promise<Response> => Promise.reject(new Error('a Request was made'))
    const { fetch } = createTransport({ fetch: Object.assign(refuses, parts), retry: false })
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

describe('the time for an answer', () => {
  it('is no less for an upload so large that timers can’t hold it', async () => {
    const given: number[] = []
    const parts = {
      async direct(_: URL, { deadline }: DirectInit) {
        given.push(deadline!.milliseconds)
        return new Response(null, { status: 201 })
      },
    }
    const refuses = (): Promise<Response> => Promise.reject(new Error('a Request was made'))
    const { fetch } = createTransport({ fetch: Object.assign(refuses, parts), retry: false })
    for (const size of [0, 2 ** 20, 2 ** 50])
      await fetch({
        method: 'PUT',
        url: 'https://r.test/',
        body: { size, stream: () => new ReadableStream() },
      })
    expect(given).toEqual([30_000, 30_000 + 2 ** 15, 2 ** 31 - 1])
  })

  it('is a number of milliseconds, or none by false', () => {
    for (const timeout of [0, -1, NaN, Infinity])
      expect(() => createTransport({ timeout })).toThrow(/"timeout" must be milliseconds or false/)
    expect(() => createTransport({ timeout: false })).not.toThrow()
  })
})

describe('an answer with too many headers', () => {
  it('is told from a connection that fails, with the way to raise the limit', async () => {
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

  it('is not asked for again, as a connection that broke is', async () => {
    expect(await attempts('SELF_SIGNED_CERT_IN_CHAIN')).toBe(1)
    expect(await attempts('ECONNRESET')).toBe(3)
  })
})
