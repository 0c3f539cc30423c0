import { describe, expect, it } from 'vitest'
import { senderOf } from '../../src/http/sender.ts'
import { createTransport } from '../../src/http/transport.ts'
import { createNodeFetch } from '../../src/node/fetch/fetch.ts'
import { codeOf, hangs, plain, serve, talk, until } from './fetch-servers.ts'

const fetch = createNodeFetch()
const send = senderOf(fetch)!

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
      setTimeout(() => response.end('slowly'), 400)
    })
    const late = new Error('too late')
    const init = { ...plain, deadline: { milliseconds: 300, error: () => late } }
    await expect(send(new URL('/never', url), init)).rejects.toBe(late)
    await until(() => closed)
    expect(await (await send(new URL('/slow', url), init)).text()).toBe('slowly')
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
      await expect(send(new URL(path, url), { ...init, deadline })).rejects.toBe(late)
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
      await expect(fetch(new Request(url)).then((answer) => answer.text())).rejects.toMatchObject(
        codeOf(expect.stringMatching(/^HPE_/)),
      )
    })
})
