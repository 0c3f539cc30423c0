import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { createCollector, readBounded } from '../../src/bytes/stream.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import type { FetchHandler } from '../../src/types.ts'

// Buffered bodies take the memory of a server: many that are never finished, and one that
// arrives byte by byte.

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

interface Begun {
  readonly response: Promise<Response>
  send(bytes: Uint8Array): void
  end(): void
}

function begin({ fetch }: FetchHandler, method: string, path: string, type: string): Begun {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  const body = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) })
  const init = { method, body, duplex: 'half', headers: { 'Content-Type': type } }
  const response = fetch(new Request(`http://localhost${path}`, init as RequestInit))
  return {
    response,
    send: (bytes) => controller?.enqueue(bytes),
    end: () => controller?.close(),
  }
}

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const spaces = (count: number): Uint8Array => new Uint8Array(count).fill(32)
const manifest = new TextEncoder().encode(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [],
  }),
)
const invoice = new TextEncoder().encode(
  'bindleVersion = "1.0.0"\n[bindle]\nname = "a"\nversion = "1.0.0"\n',
)

const SERVERS = [
  {
    name: 'manifests',
    whole: manifest,
    create: (maxBufferedBytes: number) => createRegistryHandler({ maxBufferedBytes }),
    push: (server: FetchHandler): Begun =>
      begin(server, 'PUT', '/v2/a/manifests/x', 'application/vnd.oci.image.index.v1+json'),
  },
  {
    name: 'invoices',
    whole: invoice,
    create: (maxBufferedBytes: number) => createBindleHandler({ maxBufferedBytes }),
    push: (server: FetchHandler): Begun => begin(server, 'POST', '/v1/_i', 'application/toml'),
  },
]

describe.each(SERVERS)('$name that are never finished', ({ whole, create, push }) => {
  it('are removed in favour of others, the longest first', async () => {
    const server = create(1000)
    const slow = [push(server), push(server)]
    for (const one of slow) {
      one.send(spaces(480))
      await later(5)
    }
    const good = push(server)
    good.send(whole)
    good.end()
    expect((await good.response).status).toBe(201)
    expect((await slow[0]!.response).status).toBe(429)
    // The other continues, and the previous ones are released.
    const next = slow[1]!
    next.send(spaces(500))
    await later(5)
    const last = push(server)
    last.send(whole.slice(0, 40))
    last.send(whole.slice(40))
    last.end()
    // The invoice exists already.
    expect([201, 409]).toContain((await last.response).status)
    expect((await next.response).status).toBe(429)
  })

  it('that exceed the limit of all bodies are rejected', async () => {
    const server = create(1000)
    const one = push(server)
    one.send(spaces(1001))
    expect((await one.response).status).toBe(413)
  })
})

describe('bytes that arrive one by one', () => {
  // Of bodies, values and responses: see `createCollector`.
  it('are joined, so that no array for each of them is kept', async () => {
    const count = 1_000_000
    const heap = (): number => {
      collectGarbage()
      return process.memoryUsage().heapUsed + process.memoryUsage().external
    }
    const before = heap()
    const collector = createCollector()
    for (let i = 0; i < count; i++) collector.add(Uint8Array.of(i))
    expect(heap() - before).toBeLessThan(40 * count)
    const bytes = collector.take()
    expect(bytes.length).toBe(count)
    expect([bytes[0], bytes[255], bytes[256], bytes[count - 1]]).toEqual([
      0,
      255,
      0,
      (count - 1) % 256,
    ])
    expect(collector.size).toBe(0)
  })

  it('give the same result', async () => {
    const text = Array.from({ length: 1000 }, (_, i) => i % 251)
    const stream = (): ReadableStream<Uint8Array> =>
      new ReadableStream({
        start(controller) {
          for (const byte of text) controller.enqueue(Uint8Array.of(byte))
          controller.close()
        },
      })
    expect([...(await readBounded(stream(), 1000, 'it'))]).toEqual(text)
    const storage = createMemoryStorage()
    await storage.put('a', stream())
    const value = await storage.get('a')
    expect([...(await readBounded(value!.body, 1000, 'it'))]).toEqual(text)
  })
})
