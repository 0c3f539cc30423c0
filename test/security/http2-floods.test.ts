// Clients of HTTP/2 that send more than anybody needs.
import { describe, expect, it } from 'vitest'
import { MAX_RESETS, MAX_STREAMS } from '../../src/node/listen/http2-server.ts'
import { field, HEAD, http2Client, rawHttp2, startHttp2 } from '../node/http2-clients.ts'

const hello = async (): Promise<Response> => new Response('hello')
const never = (): Promise<Response> => new Promise(() => {})

describe('requests', () => {
  it(`at once on one connection are ${MAX_STREAMS} at most`, async () => {
    let asked = 0
    const url = await startHttp2(() => {
      asked++
      return never()
    })
    const { frame, closed } = await rawHttp2(url)
    // A client that doesn't keep to what it is told.
    for (let i = 0; i < 5 * MAX_STREAMS; i++) frame(1, 5, 2 * i + 1, HEAD)
    await closed
    expect(asked).toBeLessThanOrEqual(MAX_STREAMS)
    expect((await http2Client(await startHttp2(hello)).ask({ ':path': '/' })).body).toBe('hello')
  })

  it('that are called off at once end the connection (rapid reset)', async () => {
    let asked = 0
    const url = await startHttp2(() => {
      asked++
      return never()
    })
    const { frame, closed } = await rawHttp2(url)
    let next = 1
    const timer = setInterval(() => {
      for (let i = 0; i < 50; i++, next += 2) {
        frame(1, 5, next, HEAD)
        frame(3, 0, next, Uint8Array.of(0, 0, 0, 8))
      }
    }, 1)
    await closed
    clearInterval(timer)
    expect(asked).toBeLessThanOrEqual(2 * MAX_RESETS)
  })

  it('that a client calls off now and then do not', async () => {
    const { session, ask } = http2Client(await startHttp2(hello))
    for (let i = 0; i < 20; i++) {
      const one = session.request({ ':path': '/' })
      one.on('error', () => {}).close(8)
    }
    expect((await ask({ ':path': '/' })).body).toBe('hello')
  })
})

describe('headers', () => {
  it('longer than the limit get no handler, and those below do', async () => {
    let asked = 0
    const url = await startHttp2(
      async () => {
        asked++
        return new Response('hello')
      },
      { maxHeaderSize: 4096 },
    )
    const { ask } = http2Client(url)
    expect((await ask({ ':path': '/', 'x-a': 'x'.repeat(2000) })).status).toBe(200)
    const raw = await rawHttp2(url)
    const long = Array.from({ length: 60 }, (_, i) => field(`x-${i}`, 'x'.repeat(100)))
    raw.frame(1, 5, 1, Buffer.concat([HEAD, ...long]))
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(asked).toBe(1)
  })

  it('in CONTINUATION frames without end cost the connection', async () => {
    const url = await startHttp2(hello, { headersTimeout: 2000 })
    const { frame, closed, socket } = await rawHttp2(url)
    frame(1, 1, 1, HEAD)
    let sent = 0
    const timer = setInterval(() => {
      for (let i = 0; i < 20; i++, sent++) frame(9, 0, 1, field('x', 'y'.repeat(100)))
    }, 1)
    await closed
    clearInterval(timer)
    expect(socket.destroyed).toBe(true)
    // It went on for as long as nobody minded.
    expect(sent).toBeLessThan(20_000)
  })
})

describe('frames', () => {
  it.each<[string, (frame: Awaited<ReturnType<typeof rawHttp2>>['frame']) => void]>([
    ['pings that are not read', (frame) => frame(6, 0, 0, new Uint8Array(8))],
    ['settings that are not read', (frame) => frame(4, 0, 0)],
    ['of no stream', (frame) => frame(0, 0, 99, new Uint8Array(8))],
  ])('%s end the connection, and others are answered', async (_, send) => {
    const url = await startHttp2(hello, { headersTimeout: 500 })
    const { frame, closed, socket } = await rawHttp2(url)
    socket.pause()
    const timer = setInterval(() => {
      for (let i = 0; i < 200; i++) send(frame)
    }, 1)
    expect((await http2Client(url).ask({ ':path': '/' })).body).toBe('hello')
    socket.resume()
    await closed
    clearInterval(timer)
  })
})

describe('host names', () => {
  it.each([
    [{ ':authority': 'evil.example' }, 421],
    [{ ':authority': 'localhost', host: 'evil.example' }, 400],
    [{ ':authority': 'evil.example', host: 'localhost' }, 400],
    [{ ':authority': 'localhost:123456' }, 400],
    [{ ':authority': 'localhost' }, 200],
  ])('%o are answered with %i', async (headers, status) => {
    const { ask } = http2Client(await startHttp2(hello))
    expect((await ask({ ':path': '/', ...headers })).status).toBe(status)
  })
})

describe('connections', () => {
  it('that are idle make room for others, as those of HTTP/1', async () => {
    const url = await startHttp2(hello, { maxConnections: 2 })
    const idle = [http2Client(url), http2Client(url)]
    for (const { ask } of idle) await ask({ ':path': '/' })
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect((await http2Client(url).ask({ ':path': '/' })).body).toBe('hello')
    await Promise.race(idle.map(({ closed }) => closed))
  })
})
