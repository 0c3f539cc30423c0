import { createServer as createHttpServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { createTransport } from '../../src/http/transport.ts'
import { createNodeFetch } from '../../src/node/fetch.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/** An HTTP server that answers as it is told. */
async function serve(handle: RequestListener): Promise<{ url: string; server: Server }> {
  const server = createHttpServer(handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

/** A server that says what it is told, HTTP or not. */
async function talk(onRequest: (socket: Socket, head: string) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (bytes) => onRequest(socket, bytes.toString('latin1')))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(holds()).toBe(true)
}

async function textOf(message: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of message.setEncoding('latin1')) text += chunk
  return text
}

const fetch = createNodeFetch()
const hangs: RequestListener = () => {}
const plain = { method: 'GET', headers: new Headers(), redirect: 'manual' } as const
const codeOf = (code: string): object => ({ name: 'TypeError', cause: { code } })

/** Pieces that are made as they are taken. */
function streamed(
  pieces: number,
  size: number,
): { stream: ReadableStream<Uint8Array>; taken: () => number; cancelled: () => boolean } {
  let taken = 0
  let cancelled = false
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (taken++ < pieces) controller.enqueue(new Uint8Array(size).fill(97))
        else controller.close()
      },
      cancel() {
        cancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { stream, taken: () => taken, cancelled: () => cancelled }
}

describe('what is sent', () => {
  it('is the method, the path with its query, the headers and the body', async () => {
    const { url } = await serve(async ({ method, url: path, headers }, response) => {
      response.end(JSON.stringify([method, path, headers['x-a'], headers['accept-encoding']]))
    })
    const answer = await fetch(
      new Request(`${url}/a%2Fb?c=d#e`, { method: 'DELETE', headers: { 'X-A': 'ä' } }),
    )
    expect(await answer.json()).toEqual(['DELETE', '/a%2Fb?c=d', 'ä', 'identity'])
  })

  const long = 'b'.repeat(300 * 1024)
  for (const [what, body, length] of [
    ['text', 'abc', '3'],
    ['bytes', Uint8Array.of(97, 98), '2'],
    ['a Blob', new Blob(['abcd']), '4'],
    ['a short stream', new Blob(['abcde']).stream(), '5'],
    ['a long stream', new Blob([long]).stream(), undefined],
  ] as const)
    it(`is ${what}, with its length when that is known`, async () => {
      const { url } = await serve(async (request, response) => {
        const text = await textOf(request)
        response.end(JSON.stringify([request.headers['content-length'], text.length]))
      })
      const request = new Request(url, { method: 'PUT', body, duplex: 'half' } as RequestInit)
      expect(await (await fetch(request)).json()).toEqual(
        length === undefined ? [null, long.length] : [length, Number(length)],
      )
    })

  it('is a long stream with the length that was announced', async () => {
    const { url } = await serve(async (request, response) => {
      const { headers } = request
      const { length } = await textOf(request)
      response.end(
        JSON.stringify([headers['content-length'], headers['transfer-encoding'], length]),
      )
    })
    const { stream } = streamed(16, 64 * 1024)
    const answer = await fetch(
      new Request(url, {
        method: 'PUT',
        headers: { 'content-length': String(1024 * 1024) },
        body: stream,
        duplex: 'half',
      } as RequestInit),
    )
    expect(await answer.json()).toEqual([String(1024 * 1024), null, 1024 * 1024])
  })

  for (const [what, announced] of [
    ['longer', 1024 * 1024 - 1],
    ['shorter', 1024 * 1024 + 1],
  ] as const)
    it(`is broken off when it is ${what} than announced`, async () => {
      let received = 0
      const { url } = await serve((request) => {
        request.on('data', ({ length }: Buffer) => (received += length))
        request.on('error', () => {})
      })
      const request = new Request(url, {
        method: 'PUT',
        headers: { 'content-length': String(announced) },
        body: streamed(16, 64 * 1024).stream,
        duplex: 'half',
      } as RequestInit)
      await expect(fetch(request)).rejects.toMatchObject(codeOf('ERR_HTTP_CONTENT_LENGTH_MISMATCH'))
      expect(received).toBeLessThanOrEqual(announced)
    })

  it('has no headers that are those of the connection', async () => {
    const { url } = await serve(({ headers }, response) => {
      response.end(JSON.stringify(headers))
    })
    const request = new Request(url, {
      method: 'POST',
      headers: { 'transfer-encoding': 'chunked', te: 'trailers', expect: '100-continue' },
      body: 'abc',
    })
    const headers = (await (await fetch(request)).json()) as Record<string, string>
    expect(headers).not.toHaveProperty('transfer-encoding')
    expect(headers).not.toHaveProperty('te')
    expect(headers).not.toHaveProperty('expect')
    expect(headers['content-length']).toBe('3')
  })

  it('waits for the server, and is not read ahead', async () => {
    const { url } = await serve(hangs)
    const { stream, taken } = streamed(10_000, 64 * 1024)
    const stop = new AbortController()
    const request = new Request(url, {
      method: 'PUT',
      body: stream,
      duplex: 'half',
      signal: stop.signal,
    } as RequestInit)
    const answer = fetch(request)
    let before = -1
    await until(() => before === (before = taken()) && before > 0)
    // What fits into the buffers of two sockets, of 625 MiB.
    expect(before).toBeLessThan(1000)
    stop.abort(new Error('enough'))
    await expect(answer).rejects.toThrow('enough')
  })

  it('is left when the answer comes first', async () => {
    const { url } = await serve((request, response) => {
      request.once('data', () => {
        response.writeHead(413).end('too much')
        request.pause()
      })
    })
    const { stream, cancelled } = streamed(10_000, 64 * 1024)
    const request = new Request(url, { method: 'PUT', body: stream, duplex: 'half' } as RequestInit)
    const answer = await fetch(request)
    expect([answer.status, await answer.text()]).toEqual([413, 'too much'])
    await until(cancelled)
  })

  it('fails with what its source fails with', async () => {
    const { url } = await serve(hangs)
    const cause = new Error('the disk is gone')
    let pieces = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (pieces++ < 10) controller.enqueue(new Uint8Array(64 * 1024))
        else controller.error(cause)
      },
    })
    const request = new Request(url, { method: 'PUT', body, duplex: 'half' } as RequestInit)
    await expect(fetch(request)).rejects.toMatchObject({ name: 'TypeError', cause })
  })
})

describe('an answer', () => {
  it('has its status, its headers and its body', async () => {
    const { url } = await serve((_, response) => {
      response.statusMessage = 'Fine By Me'
      response.setHeader('set-cookie', ['a=b', 'c=d'])
      response.setHeader('www-authenticate', ['Bearer realm="x"', 'Basic realm="y"'])
      response.writeHead(203).end('hello')
    })
    const answer = await fetch(new Request(url))
    expect([answer.status, answer.statusText, await answer.text()]).toEqual([
      203,
      'Fine By Me',
      'hello',
    ])
    expect(answer.headers.getSetCookie()).toEqual(['a=b', 'c=d'])
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="x", Basic realm="y"')
  })

  it('without a body has none: to HEAD, 204, 304, and when it is empty', async () => {
    const { url } = await serve(({ method, url: path }, response) => {
      if (method === 'HEAD') response.setHeader('content-length', '7')
      response.writeHead(Number(path!.slice(1))).end()
    })
    const head = await fetch(new Request(`${url}/200`, { method: 'HEAD' }))
    expect([head.body, head.headers.get('content-length')]).toEqual([null, '7'])
    for (const status of [201, 204, 304]) {
      const answer = await fetch(new Request(`${url}/${status}`))
      expect([answer.status, await answer.text()]).toEqual([status, ''])
    }
  })

  it('is handed on as it came, with its coding', async () => {
    const zipped = gzipSync('plain')
    const { url } = await serve((_, response) => {
      response.setHeader('content-encoding', 'gzip')
      response.end(zipped)
    })
    const answer = await fetch(new Request(url))
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(zipped)
  })

  it('comes in memory of its own, as plain bytes', async () => {
    const url = await talk((socket) => {
      socket.write(
        'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n',
      )
    })
    const reader = (await fetch(new Request(url))).body!.getReader()
    const first = (await reader.read()).value!
    expect(first.constructor).toBe(Uint8Array)
    structuredClone(first, { transfer: [first.buffer] })
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('def')
  })

  it('waits for its reader, who is not taken for a dead server', async () => {
    let sent = 0
    const { url } = await serve((_, response) => {
      const more = (): void => {
        while (sent < 40 * 1024 * 1024 && !response.writableEnded) {
          sent += 1024 * 1024
          if (!response.write(Buffer.alloc(1024 * 1024))) return void response.once('drain', more)
        }
        response.end()
      }
      more()
    })
    const impatient = createNodeFetch({ idleTimeout: 30 })
    const reader = (await impatient(new Request(url))).body!.getReader()
    let before = -1
    for (let still = 0; still < 15;) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      still = before === sent ? still + 1 : 0
      before = sent
    }
    expect(sent).toBeLessThan(40 * 1024 * 1024)
    let received = 0
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      received += value.length
    }
    expect(received).toBe(40 * 1024 * 1024)
  })

  it('of any length of headers up to 64 KiB is read, and no more', async () => {
    const { url } = await serve(({ url: path }, response) => {
      response.setHeader('x-long', 'a'.repeat(Number(path!.slice(1))))
      response.end()
    })
    const answer = await fetch(new Request(`${url}/60000`))
    expect(answer.headers.get('x-long')).toHaveLength(60_000)
    await expect(fetch(new Request(`${url}/70000`))).rejects.toMatchObject(
      codeOf('HPE_HEADER_OVERFLOW'),
    )
    const transport = createTransport({ fetch, retry: false })
    await expect(transport.fetch({ url: `${url}/70000` })).rejects.toMatchObject({
      code: 'ERR_RESPONSE',
      message: expect.stringContaining('answered with too many headers'),
    })
  })
})

describe('a connection', () => {
  it('is used again, also after answers that nobody reads', async () => {
    let connections = 0
    let open = 0
    const { url, server } = await serve((_, response) => {
      open++
      response.once('close', () => open--)
      response.setHeader('content-length', 5)
      response.flushHeaders()
      setTimeout(() => response.end('small'), 10)
    })
    server.on('connection', () => connections++)
    const own = createNodeFetch()
    const whenAllCame = async (): Promise<void> => {
      await until(() => open === 0)
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
    for (let i = 0; i < 3; i++) {
      await (await own(new Request(url))).text()
      await own(new Request(url, { method: 'HEAD' }))
      await (await own(new Request(url))).body!.cancel()
      await whenAllCame()
      await own(new Request(url))
      await whenAllCame()
    }
    expect(connections).toBe(1)
  })

  it('that speaks before it is asked is left, and its words are nobody’s answer', async () => {
    let closed = false
    const url = await talk((socket, head) => {
      const path = head.split(' ')[1]!
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${path.length}\r\n\r\n${path}`)
      if (path !== '/first') return
      socket.on('close', () => (closed = true))
      setTimeout(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil'), 20)
    })
    expect(await (await fetch(new Request(`${url}/first`))).text()).toBe('/first')
    await until(() => closed)
    expect(await (await fetch(new Request(`${url}/second`))).text()).toBe('/second')
  })

  it('that can’t be made is told by its code', async () => {
    const { url, server } = await serve(hangs)
    await new Promise((resolve) => server.close(resolve))
    await expect(fetch(new Request(url))).rejects.toMatchObject(codeOf('ECONNREFUSED'))
    const transport = createTransport({ fetch, retry: false })
    await expect(transport.fetch({ url })).rejects.toMatchObject({
      code: 'ERR_NETWORK',
      message: expect.stringContaining('ECONNREFUSED'),
    })
  })

  it('that is cut fails, before the answer and in it', async () => {
    const url = await talk((socket, head) => {
      if (head.includes('/body')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf')
      socket.end()
    })
    await expect(fetch(new Request(`${url}/head`))).rejects.toMatchObject(codeOf('ECONNRESET'))
    const answer = await fetch(new Request(`${url}/body`))
    await expect(answer.text()).rejects.toMatchObject({ name: 'TypeError', message: 'terminated' })
  })

  it('on which nothing comes is given up, before the answer and in it', async () => {
    const url = await talk((socket, head) => {
      if (head.includes('/body')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf')
    })
    const impatient = createNodeFetch({ idleTimeout: 20 })
    await expect(impatient(new Request(`${url}/head`))).rejects.toMatchObject(codeOf('ETIMEDOUT'))
    await expect((await impatient(new Request(`${url}/body`))).text()).rejects.toMatchObject(
      codeOf('ETIMEDOUT'),
    )
  })

  it('is waited for as long as it takes, where that is wanted', async () => {
    const patient = createNodeFetch({ idleTimeout: false })
    // Longer than a connection without a request is kept.
    const { url } = await serve((_, response) => void setTimeout(() => response.end('late'), 4500))
    expect(await (await patient(new Request(url))).text()).toBe('late')
  })

  it('without an answer by its deadline is closed; a body may take longer', async () => {
    let closed = false
    const { url } = await serve(({ url: path, socket }, response) => {
      if (path === '/never') return void socket.once('close', () => (closed = true))
      response.flushHeaders()
      setTimeout(() => response.end('slowly'), 100)
    })
    const late = new Error('too late')
    const init = { ...plain, deadline: { milliseconds: 50, error: () => late } }
    await expect(fetch.direct(new URL('/never', url), init)).rejects.toBe(late)
    await until(() => closed)
    expect(await (await fetch.direct(new URL('/slow', url), init)).text()).toBe('slowly')
    const transport = createTransport({ fetch, retry: false, timeout: 20 })
    await expect(transport.fetch({ url: `${url}/never` })).rejects.toMatchObject({
      code: 'ERR_TIMEOUT',
    })
  })

  it('has one deadline for a stream that is read ahead, the redirects and the answer', async () => {
    const late = new Error('too late')
    const { url } = await serve(({ url: path }, response) => {
      if (path === '/never') return
      setTimeout(() => response.writeHead(307, { location: '/never' }).end(), 350)
    })
    const slow = (): ReadableStream<Uint8Array> =>
      new ReadableStream({
        async start(controller) {
          await new Promise((resolve) => setTimeout(resolve, 350))
          controller.enqueue(Uint8Array.of(1))
          controller.close()
        },
      })
    const timeOf = async (path: string, body?: ReadableStream<Uint8Array>): Promise<number> => {
      const init = { ...plain, redirect: 'follow', method: 'PUT', body: body ?? null } as const
      const deadline = { milliseconds: 400, error: () => late }
      const began = performance.now()
      await expect(fetch.direct(new URL(path, url), { ...init, deadline })).rejects.toBe(late)
      return performance.now() - began
    }
    expect(await timeOf('/never', slow())).toBeLessThan(700)
    expect(await timeOf('/moved')).toBeLessThan(700)
  })

  for (const [what, said] of [
    ['two lengths', 'content-length: 5\r\ncontent-length: 6\r\n\r\nhello!'],
    ['a length and chunks', 'content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a folded header', 'x-a: b\r\n c\r\ncontent-length: 0\r\n\r\n'],
    ['a header with a lonely line feed', 'x-a: b\ncontent-length: 0\r\n\r\n'],
  ] as const)
    it(`that answers with ${what} is not believed`, async () => {
      const url = await talk((socket) => socket.write(`HTTP/1.1 200 OK\r\n${said}`))
      await expect(fetch(new Request(url)).then((answer) => answer.text())).rejects.toThrow()
    })
})

describe('an abort', () => {
  it('rejects with its reason at once, and asks for nothing', async () => {
    let asked = 0
    const { url } = await serve(() => asked++)
    const reason = new Error('no more')
    const request = new Request(url, { signal: AbortSignal.abort(reason) })
    await expect(fetch(request)).rejects.toBe(reason)
    expect(asked).toBe(0)
  })

  it('rejects with its reason while an answer is waited for, and closes the connection', async () => {
    let closed = false
    const stop = new AbortController()
    const reason = { what: 'no error' }
    const { url } = await serve((request) => {
      request.socket.once('close', () => (closed = true))
      stop.abort(reason)
    })
    await expect(fetch(new Request(url, { signal: stop.signal }))).rejects.toBe(reason)
    await until(() => closed)
  })

  it('or a deadline ends the wait for a body that never comes, and asks for nothing', async () => {
    let asked = 0
    const { url } = await serve(() => asked++)
    const stop = new AbortController()
    const reason = new Error('no more')
    const put = { ...plain, method: 'PUT' }
    const nothing = (): { body: ReadableStream<Uint8Array>; left: () => unknown } => {
      let left: unknown
      const body = new ReadableStream<Uint8Array>({ cancel: (why) => void (left = why) })
      return { body, left: () => left }
    }
    const [one, other] = [nothing(), nothing()]
    const aborted = fetch.direct(new URL(url), { ...put, body: one.body, signal: stop.signal })
    stop.abort(reason)
    await expect(aborted).rejects.toBe(reason)
    const deadline = { milliseconds: 20, error: () => reason }
    const late = fetch.direct(new URL(url), { ...put, body: other.body, deadline })
    await expect(late).rejects.toBe(reason)
    expect([one.left(), other.left(), asked]).toEqual([reason, reason, 0])
  })

  it('breaks a body with its reason, and closes the connection', async () => {
    let closed = false
    const { url } = await serve((request, response) => {
      request.socket.once('close', () => (closed = true))
      response.write('begun')
    })
    const stop = new AbortController()
    const reason = new Error('no more')
    const answer = await fetch(new Request(url, { signal: stop.signal }))
    const text = answer.text()
    stop.abort(reason)
    await expect(text).rejects.toBe(reason)
    await until(() => closed)
  })
})

describe('a redirect', () => {
  const start = (status: number, to: string): Promise<{ url: string }> =>
    serve(async (request, response) => {
      const { headers, method, url } = request
      if (url === '/here') return void response.writeHead(status, { location: to }).end('moved')
      response.end(JSON.stringify([method, headers.authorization ?? null, await textOf(request)]))
    })

  it('is shown or refused, as asked', async () => {
    const { url } = await start(307, '/there')
    const shown = await fetch(new Request(`${url}/here`, { redirect: 'manual' }))
    expect([shown.status, shown.headers.get('location'), await shown.text()]).toEqual([
      307,
      '/there',
      'moved',
    ])
    await expect(fetch(new Request(`${url}/here`, { redirect: 'error' }))).rejects.toMatchObject({
      message: 'fetch failed',
      cause: { message: 'unexpected redirect' },
    })
  })

  it('is followed with the body, and with Authorization within its origin', async () => {
    const { url } = await start(308, '/there')
    const init = { method: 'PUT', headers: { authorization: 'Bearer a' }, body: 'abc' }
    const answer = await fetch(new Request(`${url}/here`, init))
    expect(await answer.json()).toEqual(['PUT', 'Bearer a', 'abc'])
  })

  it('to another origin takes no Authorization along', async () => {
    const other = await start(500, '')
    const { url } = await start(302, `${other.url}/there`)
    const init = { headers: { authorization: 'Bearer a' } }
    const answer = await fetch(new Request(`${url}/here`, init))
    expect(await answer.json()).toEqual(['GET', null, ''])
  })

  it('of a long stream fails: it can’t be sent twice', async () => {
    const { url } = await start(307, '/there')
    const body = new Blob([new Uint8Array(300 * 1024)]).stream()
    const init = { method: 'PUT', body, duplex: 'half' } as RequestInit
    await expect(fetch(new Request(`${url}/here`, init))).rejects.toMatchObject({
      cause: { message: 'a stream is not sent again' },
    })
  })

  it('of a large upload is followed by the transport, as it is not kept but opened again', async () => {
    const lengths: number[] = []
    const { url } = await serve(async (request, response) => {
      lengths.push((await textOf(request)).length)
      response.writeHead(request.url === '/here' ? 307 : 201, { location: '/there' }).end()
    })
    const size = 9 * 1024 * 1024
    const body = { size, stream: () => streamed(size / 65536, 65536).stream }
    const transport = createTransport({ fetch, retry: false })
    const answer = await transport.fetch({ method: 'PUT', url: `${url}/here`, body })
    expect([answer.status, lengths]).toEqual([201, [size, size]])
  })

  it('in a circle ends', async () => {
    const { url } = await start(302, '/here')
    await expect(fetch(new Request(`${url}/here`))).rejects.toMatchObject({ code: 'ERR_RESPONSE' })
  })
})

it('reaches nothing but http and https', async () => {
  await expect(fetch(new Request('data:text/plain,a'))).rejects.toThrow('fetch failed')
})
