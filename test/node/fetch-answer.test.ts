import { describe, expect, it } from 'vitest'
import { senderOf } from '../../src/http/sender.ts'
import { createTransport } from '../../src/http/transport.ts'
import { createNodeFetch } from '../../src/node/fetch/fetch.ts'
import { codeOf, plain, serve, talk, until } from './fetch-servers.ts'

const fetch = createNodeFetch()
const send = senderOf(fetch)!

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

  it('of a status that none has is none', async () => {
    const url = await talk((socket, head) => {
      const status = /^GET \/(\d+)/.exec(head)?.[1]
      socket.end(`HTTP/1.1 ${status} Odd\r\ncontent-length: 2\r\n\r\nhi`)
    })
    for (const status of [600, 999])
      await expect(fetch(new Request(`${url}/${status}`))).rejects.toMatchObject({
        name: 'TypeError',
        cause: { name: 'RangeError' },
      })
    const transport = createTransport({ fetch, retry: false })
    await expect(transport.fetch({ url: `${url}/600` })).rejects.toMatchObject({
      code: 'ERR_NETWORK',
    })
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

describe('the answer to a request in its parts', () => {
  const hello = async (): Promise<URL> => {
    const { url } = await serve((_, response) => {
      response.setHeader('x-y', 'z')
      response.end('hello')
    })
    return new URL(url)
  }

  it('is a Response, and does what one does', async () => {
    const url = await hello()
    const ask = (): Promise<Response> => send(url, plain)
    const platform = await globalThis.fetch(url)
    const ours = await ask()
    expect(ours).toBeInstanceOf(Response)
    const shown = ({ status, statusText, ok, redirected, bodyUsed }: Response): unknown => ({
      status,
      statusText,
      ok,
      redirected,
      bodyUsed,
    })
    expect(shown(ours)).toEqual(shown(platform))
    expect(ours.headers.get('x-y')).toBe('z')
    expect([await ours.clone().text(), await ours.text(), ours.bodyUsed]).toEqual([
      'hello',
      'hello',
      true,
    ])
    expect(await (await ask()).bytes()).toEqual(new TextEncoder().encode('hello'))
    expect((await (await ask()).blob()).size).toBe(5)
    expect((await (await ask()).arrayBuffer()).byteLength).toBe(5)
    expect(await new Response((await ask()).body).text()).toBe('hello')
    await expect((await ask()).json()).rejects.toThrow(SyntaxError)
  })

  it('frees its connection when it is left, short or long', async () => {
    let closed = 0
    const { url } = await serve(({ url: path, socket }, response) => {
      socket.once('close', () => closed++)
      response.setHeader('content-length', path === '/short' ? 10 : 10_000_000)
      response.write('hello')
      if (path === '/short') response.end('hello')
    })
    for (const path of ['/short', '/long']) {
      const reader = (await send(new URL(path, url), plain)).body!.getReader()
      const before = closed
      await reader.cancel()
      expect(await reader.read()).toEqual({ done: true, value: undefined })
      if (path === '/long') await until(() => closed > before)
    }
  })
})
