import { describe, expect, it } from 'vitest'
import { createAppHandler, type AppHandlerOptions } from '../../src/run/index.ts'
import { pulledApp } from '../run/fixtures.ts'
import { guest } from '../run/guests.ts'

interface Running {
  get(path: string): Promise<Response>
  /** A request whose body has begun, and what sends more of it. */
  post(path: string): Begun
  readonly log: string[]
}

interface Begun {
  readonly response: Promise<Response>
  send(bytes: number): void
  end(): void
}

async function start(options: AppHandlerOptions): Promise<Running> {
  const log: string[] = []
  const handler = await createAppHandler(
    pulledApp({ async: { wasm: guest('async') }, wagi: { wasm: guest('wagi') } }, [
      { route: '/...', component: 'async' },
      { route: '/wagi/...', component: 'wagi', executor: { type: 'wagi' } },
    ]),
    { onLog: ({ stream, text }) => void (stream === 'host' && log.push(text)), ...options },
  )
  return {
    log,
    get: (path) => handler.fetch(new Request(`http://app.example${path}`)),
    post(path) {
      let controller: ReadableStreamDefaultController<Uint8Array> | undefined
      const body = new ReadableStream<Uint8Array>({
        start(given) {
          controller = given
          given.enqueue(new Uint8Array(10))
        },
      })
      const init = { method: 'POST', body, duplex: 'half' }
      return {
        response: handler.fetch(new Request(`http://app.example${path}`, init as RequestInit)),
        send: (bytes) => controller?.enqueue(new Uint8Array(bytes)),
        end: () => controller?.close(),
      }
    },
  }
}

const isPending = async (response: Promise<Response>): Promise<boolean> => {
  let pending = true
  void response.then(() => (pending = false))
  await new Promise((resolve) => setTimeout(resolve, 20))
  return pending
}

describe('clients that don’t finish their bodies', () => {
  it('keep nobody from a component that takes bodies whole', async () => {
    const app = await start({ concurrency: 2 })
    const slow = Array.from({ length: 64 }, () => app.post('/wagi/x'))
    expect((await app.get('/wagi/x')).status).toBe(200)
    expect(await isPending(slow[0]?.response as Promise<Response>)).toBe(true)
    for (const { end } of slow) end()
    for (const { response } of slow) expect((await response).status).toBe(200)
  })

  it('keep nobody from a component that reads as it comes', async () => {
    const app = await start({ concurrency: 2 })
    const slow = Array.from({ length: 2 }, () => app.post('/echo'))
    const texts = slow.map(async ({ response }) => (await response).text())
    // Both have their places.
    await Promise.all(slow.map(({ response }) => response))
    expect((await app.get('/hello')).status).toBe(200)
    for (const { send, end } of slow) {
      send(5)
      end()
    }
    expect((await Promise.all(texts)).map((text) => text.length)).toEqual([15, 15])
  })

  it('are ended, the slowest first, when there are too many', async () => {
    const app = await start({ concurrency: 2 })
    const slow = Array.from({ length: 4 }, () => app.post('/echo'))
    const texts = slow.map(async ({ response }) => (await response).text())
    for (const text of texts) text.catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect((await app.get('/hello')).status).toBe(200)
    await expect(texts[0]).rejects.toThrow()
    for (const { end } of slow.slice(1)) end()
    expect((await Promise.all(texts.slice(1))).map((text) => text.length)).toEqual([10, 10, 10])
  })

  it('are ended, the longest first, when their bodies take too much', async () => {
    const app = await start({ maxMemory: 1_000_000 })
    const [first, second] = [app.post('/wagi/x'), app.post('/wagi/x')]
    first.send(400_000)
    await new Promise((resolve) => setTimeout(resolve, 20))
    second.send(700_000)
    expect((await first.response).status).toBe(408)
    expect(app.log).toEqual([
      'POST /wagi/x failed: the client was too slow while others queued (ERR_TIMEOUT)',
    ])
    second.send(400_000)
    expect((await second.response).status).toBe(503)
    expect(app.log[1]).toMatch(/take more than 1000000 bytes: raise that by the option "maxMemory"/)
    // Nothing of them is left.
    const third = app.post('/wagi/x')
    third.send(300_000)
    expect(await isPending(third.response)).toBe(true)
  })

  it('are answered with 413 where one body is too long', async () => {
    const app = await start({})
    const one = app.post('/wagi/x')
    one.send(64 * 1024 * 1024)
    expect((await one.response).status).toBe(413)
  })
})

describe('clients that don’t read their answers', () => {
  it('keep nobody from a component', async () => {
    const app = await start({ concurrency: 2 })
    const slow = Array.from({ length: 2 }, () => app.post('/echo'))
    for (const { send, end } of slow) {
      for (let i = 0; i < 30; i++) send(100_000)
      end()
    }
    const unread = await Promise.all(slow.map(({ response }) => response))
    expect((await app.get('/hello')).status).toBe(200)
    for (const response of unread) expect((await response.arrayBuffer()).byteLength).toBe(3_000_010)
  })
})
