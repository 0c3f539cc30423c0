// Clients of HTTP/2 that take their time on purpose: each is cut, and others are answered.
import { describe, expect, it } from 'vitest'
import { HEAD, http2Client, rawHttp2, startHttp2 } from '../node/http2-clients.ts'
import { rawClient } from '../node/raw-client.ts'

const hello = async (): Promise<Response> => new Response('hello')
const readAll = async (request: Request): Promise<Response> =>
  new Response(String((await request.arrayBuffer()).byteLength))

describe('a connection without a request', () => {
  it('is ended when it says nothing at all, or no more than how HTTP/2 begins', async () => {
    const url = await startHttp2(hello, { headersTimeout: 200 })
    const silent = await rawClient(url)
    expect(await silent.closed).toContain(' 408 ')
    const begun = await rawClient(url)
    begun.write('PRI * HTTP/2.0\r\n\r')
    expect(await begun.closed).toContain(' 408 ')
  })

  it('is ended when its head never ends, whatever else it sends', async () => {
    const url = await startHttp2(hello, { headersTimeout: 200 })
    const { frame, closed } = await rawHttp2(url)
    // HEADERS without END_HEADERS.
    frame(1, 0, 1, HEAD)
    await closed
  })

  it('is ended although it sends pings', async () => {
    const url = await startHttp2(hello, { headersTimeout: 200 })
    const { frame, closed } = await rawHttp2(url)
    const timer = setInterval(() => frame(6, 0, 0, new Uint8Array(8)), 20)
    await closed
    clearInterval(timer)
  })

  it('is kept for as long as one of its requests is under way', async () => {
    const url = await startHttp2(
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 600))
        return new Response('late')
      },
      { headersTimeout: 200 },
    )
    expect((await http2Client(url).ask({ ':path': '/' })).body).toBe('late')
  })
})

describe('a body that comes too slowly', () => {
  const limits = { minBodyRate: 1000, bodyRateWindow: 300 }

  it('is answered with 408, on a connection that goes on with others', async () => {
    const { session, ask } = http2Client(await startHttp2(readAll, limits))
    const slow = session.request({ ':path': '/', ':method': 'POST' })
    let status: unknown
    slow.on('response', (head) => (status = head[':status'])).on('error', () => {})
    slow.resume()
    const timer = setInterval(() => slow.destroyed || slow.write('x'), 20)
    // A fast one beside it is no excuse.
    expect((await ask({ ':path': '/', ':method': 'POST' }, 'x'.repeat(500_000))).body).toBe(
      '500000',
    )
    await new Promise((resolve) => slow.once('response', resolve).once('close', resolve))
    clearInterval(timer)
    expect(status).toBe(408)
    expect((await ask({ ':path': '/', ':method': 'POST' }, 'abc')).body).toBe('3')
  })

  it('is none where there is no body, or all of it is there', async () => {
    const wait = async (): Promise<Response> => {
      await new Promise((resolve) => setTimeout(resolve, 1000))
      return new Response('late')
    }
    const { ask } = http2Client(await startHttp2(wait, limits))
    expect((await ask({ ':path': '/' })).body).toBe('late')
    expect((await ask({ ':path': '/', ':method': 'POST' }, 'abc')).body).toBe('late')
  })
})

describe('an answer that its client does not take', () => {
  it('is reset although the connection is alive, and its body is cancelled', async () => {
    let cancelled = 0
    const url = await startHttp2(
      async ({ url }) => {
        if (url.endsWith('/small')) return new Response('small')
        return new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(new Uint8Array(100_000)),
            cancel: () => void cancelled++,
          }),
        )
      },
      { sendTimeout: 300 },
    )
    const { session, ask } = http2Client(url)
    const stuck = session.request({ ':path': '/large' })
    // Node gives more room only as it is read.
    stuck.on('response', () => {}).on('error', () => {})
    const timer = setInterval(() => void ask({ ':path': '/small' }), 50)
    await new Promise((resolve) => stuck.once('aborted', resolve).once('close', resolve))
    clearInterval(timer)
    expect(stuck.rstCode).toBe(11)
    expect(cancelled).toBe(1)
  })
})
