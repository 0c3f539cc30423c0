import { Agent, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { listen } from '../../src/node/listen/listen.ts'
import type { Listener } from '../../src/node/listen/listen.ts'
import { LINGER } from '../../src/node/listen/refused-body.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'

const open: Listener[] = []
afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close()
})

async function start(fetch: (request: Request) => Promise<Response>): Promise<string> {
  const listener = await listen({ fetch })
  open.push(listener)
  return listener.url
}

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !holds(); i++) await later(10)
  expect(holds()).toBe(true)
}

describe('listen', () => {
  it('takes a free port of the loopback address, and says which', async () => {
    const url = await start(async () => new Response('hello'))
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(await (await fetch(url)).text()).toBe('hello')
  })

  it('rejects when the port is taken', async () => {
    const port = Number(new URL(await start(async () => new Response())).port)
    await expect(listen({ fetch: async () => new Response() }, { port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    })
  })

  it('serves IPv6, with brackets in its address', async () => {
    const listener = await listen(
      { fetch: async (request) => new Response(request.url) },
      { host: '::1' },
    ).catch(() => undefined)
    if (listener === undefined) return
    open.push(listener)
    expect(await (await fetch(`${listener.url}/x`)).text()).toBe(`${listener.url}/x`)
  })

  it('hands method, path, query, headers and body over', async () => {
    const url = await start(async (request) =>
      Response.json([
        request.method,
        new URL(request.url).pathname,
        new URL(request.url).search,
        request.headers.get('X-A'),
        await request.text(),
      ]),
    )
    const response = await fetch(`${url}/a%2Fb/c?d=e%20f`, {
      method: 'PATCH',
      headers: { 'X-A': 'b' },
      body: 'body',
    })
    expect(await response.json()).toEqual(['PATCH', '/a%2Fb/c', '?d=e%20f', 'b', 'body'])
  })

  it('streams bodies in while they are sent', async () => {
    const seen: string[] = []
    const url = await start(async (request) => {
      for await (const chunk of request.body!) seen.push(new TextDecoder().decode(chunk))
      return new Response('done')
    })
    const outgoing = httpRequest(url, { method: 'PUT' })
    const answered = new Promise<number | undefined>((resolve) =>
      outgoing.on('response', (response) => resolve(response.resume().statusCode)),
    )
    outgoing.write('one')
    await until(() => seen.join('') === 'one')
    outgoing.end('two')
    expect(await answered).toBe(200)
    expect(seen.join('')).toBe('onetwo')
  })

  it('streams bodies out while they are made, and makes no more than the client takes', async () => {
    let made = 0
    const url = await start(
      async () =>
        new Response(
          new ReadableStream({
            pull(controller) {
              made++
              controller.enqueue(new Uint8Array(64 * 1024))
            },
          }),
        ),
    )
    const response = await fetch(url)
    const reader = response.body!.getReader()
    expect((await reader.read()).value!.length).toBeGreaterThan(0)
    // Until it stands still, however long the machine takes to fill what lies between; without a
    // limit it would never.
    for (let before = -1; made !== before; await later(200)) before = made
    expect(made).toBeGreaterThan(0)
    await reader.cancel()
  })

  it('aborts the signal and cancels the answer when the client leaves', async () => {
    let aborted = false
    let cancelled = false
    const url = await start(async (request) => {
      request.signal.addEventListener('abort', () => {
        aborted = true
      })
      return new Response(
        new ReadableStream({
          async pull(controller) {
            await later(5)
            controller.enqueue(new Uint8Array(1000))
          },
          cancel() {
            cancelled = true
          },
        }),
      )
    })
    const abort = new AbortController()
    const response = await fetch(url, { signal: abort.signal })
    await response.body!.getReader().read()
    abort.abort()
    await until(() => aborted && cancelled)
  })

  it('cuts the connection when an answer breaks, so that it is not taken for whole', async () => {
    const url = await start(
      async () =>
        new Response(
          new ReadableStream({
            start(controller) {
              controller.enqueue(new Uint8Array(10))
            },
            async pull(controller) {
              await later(20)
              controller.error(new Error('broken'))
            },
          }),
        ),
    )
    const response = await fetch(url)
    await expect(response.arrayBuffer()).rejects.toThrow()
    expect((await fetch(url)).status).toBe(200)
  })

  it('answers HEAD with the length and without the body', async () => {
    const registry = createRegistryHandler()
    const url = await start(registry.fetch)
    const bytes = new Uint8Array(300_000).fill(7)
    const digest = await digestOf(bytes)
    await fetch(`${url}/v2/a/blobs/uploads/?digest=${digest}`, { method: 'POST', body: bytes })
    for (const method of ['HEAD', 'GET']) {
      const response = await fetch(`${url}/v2/a/blobs/${digest}`, { method })
      expect([
        response.headers.get('Content-Length'),
        response.headers.get('Transfer-Encoding'),
      ]).toEqual(['300000', null])
      expect((await response.arrayBuffer()).byteLength).toBe(method === 'GET' ? bytes.length : 0)
    }
  })

  it('keeps nothing of an upload whose connection is cut, and takes the next one', async () => {
    const storage = createMemoryStorage()
    const url = await start(createRegistryHandler({ storage }).fetch)
    const bytes = new Uint8Array(2_000_000)
    const digest = await digestOf(bytes)
    const location = (await fetch(`${url}/v2/a/blobs/uploads/`, { method: 'POST' })).headers.get(
      'Location',
    )!
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.write(
      `PUT ${location}?digest=${digest} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${bytes.length}\r\n\r\n`,
    )
    socket.write(bytes.subarray(0, 1_500_000))
    await later(50)
    socket.destroy()
    await later(50)
    expect((await storage.list('blobs/')).entries).toEqual([])
    expect(
      (await fetch(`${url}${location}?digest=${digest}`, { method: 'PUT', body: bytes })).status,
    ).toBe(201)
  })

  it('reads on what was refused, so that the next request on the connection is answered', async () => {
    const url = await start(createRegistryHandler({ maxBlobBytes: 2_000_000 }).fetch)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const send = (bytes: number): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const path = `/v2/a/blobs/uploads/?digest=sha256:${'0'.repeat(64)}`
        const sent = httpRequest(new URL(path, url), { method: 'POST', agent }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode))
        }).once('error', reject)
        for (let left = bytes; left > 0; left -= 1_000_000) sent.write(new Uint8Array(1_000_000))
        sent.end()
      })
    const before = performance.now()
    for (let i = 0; i < 4; i++) expect(await send(8_000_000)).toBe(413)
    expect(await send(1_000_000)).toBe(400)
    expect(performance.now() - before).toBeLessThan(4000)
    agent.destroy()
  })

  it.each([
    ['of a body that was read', 413, {}],
    ['of a body that nobody read', 403, { Origin: 'https://evil.example' }],
    ['to another host', 421, { Host: 'evil.example' }],
  ])(
    'cuts off who goes on to send without an end, %s',
    { timeout: 20_000 },
    async (_, status, headers) => {
      const url = await start(createRegistryHandler({ maxBlobBytes: 2_000_000 }).fetch)
      const sent = httpRequest(
        new URL('/v2/a/blobs/uploads/?digest=sha512:' + '0'.repeat(128), url),
        { method: 'POST', headers },
      )
      const answered = new Promise((resolve) =>
        sent.once('response', ({ statusCode }) => resolve(statusCode)),
      )
      const cut = new Promise((resolve) => sent.once('error', resolve).once('close', resolve))
      const feed = setInterval(() => sent.write(new Uint8Array(500_000)), 20)
      expect(await answered).toBe(status)
      const before = performance.now()
      await cut
      clearInterval(feed)
      expect(performance.now() - before).toBeLessThan(2 * LINGER)
    },
  )

  it('ends what is under way before it closes, and takes no more', async () => {
    let begin!: () => void
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const url = await start(async () => {
      begin()
      await later(100)
      return new Response('late')
    })
    const answer = fetch(url).then((response) => response.text())
    await begun
    const closing = open[0]!.close()
    expect(await answer).toBe('late')
    await closing
    await expect(fetch(url)).rejects.toThrow()
    await open[0]!.close()
  })
})
