import { createServer as createTlsServer } from 'node:tls'
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createTransport } from '../../src/http/transport.ts'
import { createNodeFetch } from '../../src/node/fetch/fetch.ts'
import { streamed, until } from './fetch-servers.ts'
import { address, type Authority, createAuthority, issueIdentity, serveAs } from './tls-servers.ts'

const LOOPBACK = address(127, 0, 0, 1)

let authority: Authority
beforeAll(async () => {
  authority = await createAuthority('Ours')
})

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

interface Running {
  readonly url: string
  readonly server: Http2SecureServer
  readonly connections: () => number
  /** The most streams that were open at once. */
  readonly mostStreams: () => number
}

type OnStream = (stream: ServerHttp2Stream, path: string, count: number) => void

const respond = (stream: ServerHttp2Stream, text: string): void => {
  stream.respond({ ':status': 200, 'content-length': String(text.length) })
  stream.end(text)
}

async function serveHttp2(onStream: OnStream, maxConcurrentStreams = 100): Promise<Running> {
  const identity = await issueIdentity(authority, LOOPBACK)
  const server = createSecureServer({ ...identity, settings: { maxConcurrentStreams } })
  let connections = 0
  let open = 0
  let most = 0
  let count = 0
  server.on('session', (session) => {
    connections++
    session.on('error', () => {})
    closers.push(() => session.destroy())
  })
  server.on('stream', (stream, headers) => {
    most = Math.max(most, ++open)
    stream.on('close', () => open--)
    stream.on('error', () => {})
    onStream(stream, String(headers[':path']), ++count)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => server.close())
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    connections: () => connections,
    mostStreams: () => most,
  }
}

const fetchFor = (): ReturnType<typeof createNodeFetch> => createNodeFetch({ ca: authority.pem })
const textOf = async (fetch: ReturnType<typeof createNodeFetch>, url: string): Promise<string> =>
  (await fetch(new Request(url))).text()

describe('a server that offers HTTP/2', () => {
  it('receives many requests at once on one connection', async () => {
    const waiting: (() => void)[] = []
    const { url, connections } = await serveHttp2((stream, path) => {
      if (path === '/first') return respond(stream, path)
      waiting.push(() => respond(stream, path))
      if (waiting.length === 50) for (const release of waiting) release()
    })
    const fetch = fetchFor()
    expect(await textOf(fetch, `${url}/first`)).toBe('/first')
    const paths = Array.from({ length: 50 }, (_, i) => `/${i}`)
    expect(await Promise.all(paths.map((path) => textOf(fetch, url + path)))).toEqual(paths)
    expect(connections()).toBe(1)
  })

  it('has no more streams open than it allows', async () => {
    const { url, mostStreams } = await serveHttp2(
      (stream, path) => void setTimeout(() => respond(stream, path), 5),
      1,
    )
    const fetch = fetchFor()
    await textOf(fetch, `${url}/first`)
    const paths = Array.from({ length: 10 }, (_, i) => `/${i}`)
    expect(await Promise.all(paths.map((path) => textOf(fetch, url + path)))).toEqual(paths)
    expect(mostStreams()).toBe(1)
  })

  it('receives a long body as a stream with its length', async () => {
    let length: string | undefined
    const { url, server } = await serveHttp2((stream) => {
      let bytes = 0
      stream.on('data', (chunk: Buffer) => (bytes += chunk.length))
      stream.on('end', () => respond(stream, String(bytes)))
    })
    server.on('stream', (_, headers) => (length = headers['content-length']))
    const { stream } = streamed(40, 64 * 1024)
    const request = new Request(url, {
      method: 'PUT',
      body: stream,
      duplex: 'half',
      headers: { 'content-length': String(40 * 64 * 1024) },
    } as RequestInit)
    expect(await (await fetchFor()(request)).text()).toBe(String(40 * 64 * 1024))
    expect(length).toBe(String(40 * 64 * 1024))
  })

  it('sends a long body faster than a window of 64 KiB lets it', async () => {
    const { url } = await serveHttp2((stream) => {
      stream.respond({ ':status': 200 })
      stream.end(Buffer.alloc(1024 * 1024, 97))
    })
    const response = await fetchFor()(new Request(url))
    // The body is not read: what arrives is what the windows let through.
    await until(() => response.body !== null)
    expect((await response.arrayBuffer()).byteLength).toBe(1024 * 1024)
  })

  it('is asked again where it resets a stream', async () => {
    const { url } = await serveHttp2((stream, path, count) => {
      if (count % 3 === 0) stream.close(2)
      else respond(stream, path)
    })
    const transport = createTransport({ fetch: fetchFor(), retry: { delay: () => 1, limit: 3 } })
    const paths = Array.from({ length: 9 }, (_, i) => `/${i}`)
    const texts = paths.map(async (path) => (await transport.fetch({ url: url + path })).text())
    expect(await Promise.all(texts)).toEqual(paths)
  })

  it('is connected to again after a GOAWAY', async () => {
    const { url, connections } = await serveHttp2((stream, path) => {
      respond(stream, path)
      if (path === '/last') stream.session?.close()
    })
    const fetch = fetchFor()
    expect(await textOf(fetch, `${url}/first`)).toBe('/first')
    expect(await textOf(fetch, `${url}/last`)).toBe('/last')
    await until(() => connections() === 1)
    const transport = createTransport({ fetch, retry: { delay: () => 1, limit: 3 } })
    expect(await (await transport.fetch({ url: `${url}/next` })).text()).toBe('/next')
    expect(connections()).toBe(2)
  })

  it('that ends the connection within a body breaks that body', async () => {
    const { url } = await serveHttp2((stream) => {
      stream.respond({ ':status': 200, 'content-length': '100' })
      stream.write('half')
      setTimeout(() => stream.session?.destroy(), 20)
    })
    const response = await fetchFor()(new Request(url))
    await expect(response.text()).rejects.toMatchObject({
      name: 'TypeError',
      message: 'terminated',
    })
  })

  it('loses a request that is aborted, and keeps the connection for others', async () => {
    let closed = 0
    const { url, connections } = await serveHttp2((stream, path) => {
      if (path !== '/never') return respond(stream, path)
      stream.on('close', () => closed++)
    })
    const fetch = fetchFor()
    await textOf(fetch, `${url}/first`)
    const stop = new AbortController()
    const never = fetch(new Request(`${url}/never`, { signal: stop.signal }))
    setTimeout(() => stop.abort(new Error('stop')), 20)
    await expect(never).rejects.toThrow('stop')
    await until(() => closed === 1)
    expect(await textOf(fetch, `${url}/next`)).toBe('/next')
    expect(connections()).toBe(1)
  })

  it('that speaks no HTTP/2 after offering it is an error of the network', async () => {
    const identity = await issueIdentity(authority, LOOPBACK)
    const server = createTlsServer({ ...identity, ALPNProtocols: ['h2'] }, (socket) => {
      socket.on('error', () => {})
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closers.push(() => server.close())
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    const transport = createTransport({ fetch: fetchFor(), retry: false })
    await expect(transport.fetch({ url })).rejects.toMatchObject({ code: 'ERR_NETWORK' })
  })
})

it('a server without HTTP/2 is sent HTTP/1.1', async () => {
  const url = await serveAs(authority, {
    handle: (request, response) => void response.end(request.httpVersion),
  })
  expect(await textOf(fetchFor(), url.href)).toBe('1.1')
})
