import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { listen, type Listener, type ListenOptions } from '../../src/node/listen/listen.ts'
import { drip, rawClient, statusOf, type RawClient } from '../node/raw-client.ts'

const listeners: Listener[] = []
const clients: RawClient[] = []
afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy()
  for (const listener of listeners.splice(0)) await listener.close()
})

async function start(
  fetch: (request: Request) => Promise<Response>,
  options: ListenOptions = {},
): Promise<string> {
  const listener = await listen({ fetch }, options)
  listeners.push(listener)
  return listener.url
}

async function client(url: string): Promise<RawClient> {
  const made = await rawClient(url)
  clients.push(made)
  return made
}

const file = (name: string): string =>
  readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), 'utf8')
const tls = { cert: file('cert.pem'), key: file('key.pem') }

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const hello = async (): Promise<Response> => new Response('hello')
const readAll = async (request: Request): Promise<Response> =>
  new Response(String((await request.arrayBuffer()).byteLength))
const POST = 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n'

describe('a client that sends its head a byte at a time', () => {
  it('is answered with 408 and cut, and others are answered', async () => {
    const url = await start(hello, { headersTimeout: 300 })
    const slow = await Promise.all(Array.from({ length: 20 }, () => client(url)))
    for (const one of slow)
      drip(one, 'GET / HTTP/1.1\r\nHost: localhost\r\nX: '.padEnd(200, 'x'), 20)
    expect(await (await fetch(url)).text()).toBe('hello')
    for (const answer of await Promise.all(slow.map(({ closed }) => closed)))
      expect(statusOf(answer)).toBe(408)
  })

  it('is cut when it sends nothing at all', async () => {
    const url = await start(hello, { headersTimeout: 200 })
    expect(statusOf(await (await client(url)).closed)).toBe(408)
  })

  it('is cut in its second request too', async () => {
    const url = await start(hello, { headersTimeout: 300 })
    const slow = await client(url)
    slow.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    while (!slow.received().includes('hello')) await later(10)
    drip(slow, 'GET / HTTP/1.1\r\nHost: localhost\r\nX: '.padEnd(200, 'x'), 20)
    expect(await slow.closed).toContain('HTTP/1.1 408 ')
  })

  it('is cut in its TLS handshake', async () => {
    const url = await start(hello, { headersTimeout: 200, tls })
    const slow = await client(url)
    slow.write('\x16\x03\x01')
    expect(await slow.closed).toBe('')
  })
})

describe('a client that sends its body too slowly', () => {
  const limits = { minBodyRate: 1000, bodyRateWindow: 300 }

  it('is answered with 408, and the handler is told that it has left', async () => {
    let aborted = false
    const url = await start(async (request) => {
      request.signal.addEventListener('abort', () => (aborted = true))
      return readAll(request)
    }, limits)
    const slow = await client(url)
    slow.write(POST)
    drip(slow, 'x', 20)
    expect(statusOf(await slow.closed)).toBe(408)
    await expect.poll(() => aborted).toBe(true)
  })

  it('is cut in a body of chunks', async () => {
    const url = await start(readAll, limits)
    const slow = await client(url)
    slow.write('POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n')
    drip(slow, '1\r\nx\r\n', 20)
    expect(statusOf(await slow.closed)).toBe(408)
  })

  it('is cut over TLS, and a fast one is not', async () => {
    const url = await start(readAll, { ...limits, tls })
    const { port } = new URL(url)
    const open = async (): Promise<TLSSocket> => {
      const socket = connectTls({ port: Number(port), rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      socket.write(POST)
      return socket
    }
    const slow = await open()
    const timer = setInterval(() => slow.writable && slow.write('x'), 20)
    slow.resume().on('error', () => {})
    await once(slow, 'close')
    clearInterval(timer)
    const fast = await open()
    fast.write('x'.repeat(100_000))
    const [answer] = (await once(fast, 'data')) as [Buffer]
    expect(statusOf(answer.toString())).toBe(200)
    fast.destroy()
  })

  it('is cut after its answer, when nobody reads the rest', async () => {
    const url = await start(hello, limits)
    const slow = await client(url)
    slow.write(POST)
    drip(slow, 'x', 20)
    expect(await slow.closed).toContain('hello')
  })

  it('is cut while the answer goes out', async () => {
    const url = await start(
      async () =>
        new Response(
          new ReadableStream({
            start: (controller) => controller.enqueue(new TextEncoder().encode('begun')),
          }),
        ),
      limits,
    )
    const slow = await client(url)
    slow.write(POST)
    drip(slow, 'x', 20)
    expect(statusOf(await slow.closed)).toBe(200)
  })

  it('may be held up by the handler', async () => {
    const url = await start(async (request) => {
      await later(1000)
      return readAll(request)
    }, limits)
    const body = new Uint8Array(8_000_000)
    expect(await (await fetch(url, { method: 'POST', body })).text()).toBe('8000000')
  })

  it('may be as slow as it likes where any rate will do', async () => {
    const url = await start(readAll, { ...limits, minBodyRate: 0 })
    const slow = await client(url)
    slow.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60\r\n\r\n')
    drip(slow, 'x', 10)
    while (!slow.received().includes('\r\n60\r\n')) await later(10)
  })
})

describe('a client that doesn’t read its answer', () => {
  it('is cut, and the answer is cancelled', async () => {
    let cancelled = false
    const url = await start(
      async () =>
        new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)),
            cancel: () => void (cancelled = true),
          }),
        ),
      { sendTimeout: 200 },
    )
    const slow = await client(url)
    slow.socket.pause()
    slow.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await expect.poll(() => cancelled).toBe(true)
  })
})

describe('many clients that don’t read their answers', () => {
  it.each([
    ['over HTTP', undefined],
    ['over TLS', tls],
  ] as const)('have no more of them kept than the server has room for, %s', async (_, secure) => {
    // More than two kernels keep of it.
    const large = new Uint8Array(16 * 1024 * 1024)
    const complete = new Set<unknown>()
    let cut = 0
    const url = await start(async () => new Response(large), {
      maxUnsentBytes: 64 * 1024 * 1024,
      ...(secure !== undefined && { tls: secure }),
    })
    const greedy = Array.from({ length: 16 }, () => {
      const port = Number(new URL(url).port)
      const socket =
        secure === undefined ? connect({ port }) : connectTls({ port, rejectUnauthorized: false })
      socket.on('error', () => {}).on('close', () => complete.has(socket) || cut++)
      socket.on(secure === undefined ? 'connect' : 'secureConnect', () => {
        socket.pause()
        socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
      })
      return socket
    })
    await later(2000)
    // Those that were ended notice when they read on; the others get all of their answer.
    for (const socket of greedy) {
      let bytes = 0
      socket.on('data', (chunk: Uint8Array) => {
        bytes += chunk.length
        if (bytes > large.length) complete.add(socket)
      })
      socket.resume()
    }
    await expect.poll(() => cut + complete.size).toBe(16)
    expect(complete.size).toBeGreaterThan(0)
    expect(cut).toBeGreaterThanOrEqual(8)
    for (const socket of greedy) socket.destroy()
  })
})

describe('more connections than the server takes', () => {
  it('end the longest idle ones', async () => {
    const url = await start(hello, { maxConnections: 3 })
    const idle: RawClient[] = []
    for (let i = 0; i < 3; i++) idle.push(await client(url))
    const [first, second, third] = idle
    // It has the latest answer: the second is idle for longer.
    first?.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    while (first?.received().includes('hello') === false) await later(10)
    await later(200)
    const next = await client(url)
    await second?.closed
    next.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    while (!next.received().includes('hello')) await later(10)
    expect([first, third].map((one) => one?.socket.closed)).toEqual([false, false])
  })

  it('end none that has just come, as its request is on the way', async () => {
    const url = await start(hello, { maxConnections: 3 })
    const answers = Array.from({ length: 20 }, async () =>
      fetch(url).then(async (response) => [response.status, await response.text()]),
    )
    const statuses = (await Promise.all(answers)).map(([status]) => status)
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(3)
    expect(new Set(statuses)).toEqual(new Set([200, 503]))
  })

  it('end the slowest client where none is idle', async () => {
    const url = await start(readAll, { maxConnections: 2, bodyRateWindow: 400, minBodyRate: 1 })
    const [slow, fast] = [await client(url), await client(url)]
    slow.write(POST)
    fast.write(POST)
    drip(slow, 'x', 50)
    drip(fast, 'x'.repeat(100), 2)
    await later(300)
    const next = await client(url)
    await slow.closed
    expect(fast.socket.closed).toBe(false)
    next.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    while (statusOf(next.received()) !== 200) await later(10)
  })

  it('are answered with 503 while all others are at work', async () => {
    const ends: Array<() => void> = []
    const url = await start(
      () => new Promise((resolve) => ends.push(() => resolve(new Response('done')))),
      { maxConnections: 2 },
    )
    const busy = [await client(url), await client(url)]
    for (const one of busy) one.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await expect.poll(() => ends.length).toBe(2)
    const answer = await (await client(url)).closed
    expect(statusOf(answer)).toBe(503)
    expect(answer).toContain('Retry-After: 1')
    for (const end of ends) end()
    for (const one of busy) while (!one.received().includes('done')) await later(10)
  })
})

describe('a client that asks before it has an answer', () => {
  const asks = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'

  it('may ask for sixteen at once', async () => {
    const url = await start(hello)
    const one = await client(url)
    one.write(asks.repeat(16))
    while (one.received().split('hello').length < 17) await later(10)
  })

  it('is cut when it asks for more, and few are handled', async () => {
    let handled = 0
    const url = await start(async () => {
      handled++
      await later(50)
      return new Response('hello')
    })
    const one = await client(url)
    one.write(asks.repeat(2000))
    await one.closed
    expect(handled).toBeLessThanOrEqual(16)
  })

  it('has one answer at a time made for it, as it may read none of them', async () => {
    let under = 0
    let most = 0
    const url = await start(async () => {
      most = Math.max(most, ++under)
      await later(5)
      under--
      return new Response('hello')
    })
    const one = await client(url)
    one.write(asks.repeat(16))
    while (one.received().split('hello').length < 17) await later(10)
    expect(most).toBe(1)
  })
})

describe('a client that is answered before its body has come in', () => {
  it('may go on to ask', async () => {
    const url = await start(hello)
    const one = await client(url)
    for (let asked = 1; asked <= 40; asked++) {
      one.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n')
      while (one.received().split('hello').length <= asked) {
        expect(one.socket.closed).toBe(false)
        await later(1)
      }
      one.write('x')
    }
  })
})
