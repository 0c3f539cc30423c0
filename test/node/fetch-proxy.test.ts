import { beforeAll, describe, expect, it } from 'vitest'
import { senderOf } from '../../src/http/sender.ts'
import { createNodeFetch } from '../../src/node/fetch/fetch.ts'
import { codeOf, hangs, plain, serve, talk, textOf, until } from './fetch-servers.ts'
import { type ProxyRules, startProxy } from './proxy-servers.ts'
import { type Authority, createAuthority, dnsName, serveAs } from './tls-servers.ts'

const HOST = 'registry.corp.example'
const portOf = (url: string | URL): number => Number(new URL(url).port)

let ours: Authority
beforeAll(async () => {
  ours = await createAuthority('Ours')
})

/** A server over TLS with that name, and a proxy that reaches it. */
async function tlsBehindProxy(
  rules: Partial<ProxyRules> = {},
  name = HOST,
): Promise<Awaited<ReturnType<typeof startProxy>>> {
  const server = await serveAs(ours, {
    address: dnsName(name),
    handle: (request, response) =>
      void response.end(`${request.method} ${request.url} ${request.headers.host}`),
  })
  return startProxy({ port: portOf(server), ...rules })
}

describe('http through a proxy', () => {
  it('asks the proxy for the whole URL, with the headers and body of the request', async () => {
    const { url } = await serve((request, response) => {
      void textOf(request).then((text) =>
        response.end(`${request.method} ${request.url} ${request.headers.host} ${text}`),
      )
    })
    const proxy = await startProxy({ port: portOf(url) })
    const fetch = createNodeFetch({ proxy: proxy.url })
    const body = { method: 'POST', body: 'sent' }
    const answer = await fetch(new Request(`http://${HOST}:5000/v2/?a=b`, body))
    expect(await answer.text()).toBe(`POST /v2/?a=b ${HOST}:5000 sent`)
    expect(proxy.seen).toEqual([`POST http://${HOST}:5000/v2/?a=b`])
  })

  it('keeps the connection for other hosts too', async () => {
    const { url } = await serve((_, response) => void response.end('x'))
    const proxy = await startProxy({ port: portOf(url) })
    const fetch = createNodeFetch({ proxy: proxy.url })
    for (const host of ['a.example', 'b.example', 'a.example'])
      await (await fetch(new Request(`http://${host}/`))).text()
    expect(proxy.connections()).toBe(1)
  })

  it('follows redirects, each by the proxy that is for it', async () => {
    const direct = await serve((_, response) => void response.end('direct'))
    const { url } = await serve((_, response) => {
      response.writeHead(307, { location: direct.url }).end()
    })
    const proxy = await startProxy({ port: portOf(url) })
    const fetch = createNodeFetch({ proxy: proxy.url })
    expect(await (await fetch(new Request(`http://${HOST}/`))).text()).toBe('direct')
    expect(proxy.seen).toEqual([`GET http://${HOST}/`])
  })

  it('does not go through one to loopback', async () => {
    const { url } = await serve((_, response) => void response.end('direct'))
    const proxy = await startProxy({ port: 1 })
    const fetch = createNodeFetch({ proxy: proxy.url })
    expect(await (await fetch(new Request(url))).text()).toBe('direct')
    expect(proxy.seen).toEqual([])
  })
})

describe('https through a proxy', () => {
  it('opens a tunnel, and speaks TLS with the server itself', async () => {
    const proxy = await tlsBehindProxy()
    const fetch = createNodeFetch({ proxy: proxy.url, ca: ours.pem })
    for (let i = 0; i < 2; i++) {
      const answer = await fetch(new Request(`https://${HOST}/v2/?a=b`))
      expect(await answer.text()).toBe(`GET /v2/?a=b ${HOST}`)
    }
    expect(proxy.seen).toEqual([`CONNECT ${HOST}:443`])
  })

  it('uploads through it', async () => {
    let length = 0
    const server = await serveAs(ours, {
      address: dnsName(HOST),
      handle: (request, response) => {
        request.on('data', (chunk: Buffer) => (length += chunk.length))
        request.on('end', () => response.end('done'))
      },
    })
    const proxy = await startProxy({ port: portOf(server) })
    const fetch = createNodeFetch({ proxy: proxy.url, ca: ours.pem })
    const body = new Blob([new Uint8Array(3_000_000)])
    const put = { ...plain, method: 'PUT', body }
    expect(await (await senderOf(fetch)!(new URL(`https://${HOST}/x`), put)).text()).toBe('done')
    expect(length).toBe(3_000_000)
  })

  it('checks the certificate of the server, not of the proxy', async () => {
    const proxy = await tlsBehindProxy({}, 'other.example')
    const trusting = createNodeFetch({ proxy: proxy.url, ca: ours.pem })
    const request = (): Request => new Request(`https://${HOST}/`)
    await expect(trusting(request())).rejects.toMatchObject(codeOf('ERR_TLS_CERT_ALTNAME_INVALID'))
    const other = createNodeFetch({ proxy: proxy.url })
    await expect(other(request())).rejects.toMatchObject(codeOf('UNABLE_TO_VERIFY_LEAF_SIGNATURE'))
  })

  it('names an IPv6 address in brackets', async () => {
    const proxy = await tlsBehindProxy({ connectAnswer: 'HTTP/1.1 403 No\r\n\r\n' })
    const fetch = createNodeFetch({ proxy: proxy.url })
    await expect(fetch(new Request('https://[2001:db8::1]:8443/'))).rejects.toThrow('(403)')
    expect(proxy.seen).toEqual(['CONNECT [2001:db8::1]:8443'])
  })
})

describe('a proxy that is reached over TLS', () => {
  it('forwards and tunnels', async () => {
    const { url } = await serve((_, response) => void response.end('plain'))
    const forwarding = await startProxy({ port: portOf(url), authority: ours })
    const tunnelling = await tlsBehindProxy({ authority: ours })
    const proxy = { http: forwarding.url, https: tunnelling.url }
    const fetch = createNodeFetch({ proxy, ca: ours.pem })
    expect(await (await fetch(new Request(`http://${HOST}/`))).text()).toBe('plain')
    expect(await (await fetch(new Request(`https://${HOST}/`))).text()).toContain('GET /')
    expect([...forwarding.seen, ...tunnelling.seen]).toEqual([
      `GET http://${HOST}/`,
      `CONNECT ${HOST}:443`,
    ])
  })

  it('is refused with a certificate that is not trusted', async () => {
    const proxy = await tlsBehindProxy({ authority: ours })
    const fetch = createNodeFetch({ proxy: proxy.url })
    await expect(fetch(new Request(`https://${HOST}/`))).rejects.toMatchObject({
      code: 'ERR_NETWORK',
      cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
    })
    expect(proxy.seen).toEqual([])
  })
})

describe('a proxy with a login', () => {
  it('gets the one in its address, and the server does not', async () => {
    const served: Record<string, unknown>[] = []
    const { url } = await serve((request, response) => {
      served.push(request.headers)
      response.end('x')
    })
    const forwarding = await startProxy({ port: portOf(url), login: 'ann:p@ss' })
    const tunnelling = await tlsBehindProxy({ login: 'ann:p@ss' })
    const withLogin = (address: string): string => address.replace('//', '//ann:p%40ss@')
    const proxy = { http: withLogin(forwarding.url), https: withLogin(tunnelling.url) }
    const fetch = createNodeFetch({ proxy, ca: ours.pem })
    expect((await fetch(new Request(`http://${HOST}/`))).status).toBe(200)
    expect((await fetch(new Request(`https://${HOST}/`))).status).toBe(200)
    expect(served[0]).not.toHaveProperty('proxy-authorization')
  })

  it.each([
    ['http', '', 'wants a login (407)'],
    ['https', '', 'wants a login (407)'],
    ['http', 'ann:s3cret@', 'refuses the login (407)'],
    ['https', 'ann:s3cret@', 'refuses the login (407)'],
  ])('that refuses %s with login "%s" is an error of the proxy', async (scheme, login, reason) => {
    const proxy = await tlsBehindProxy({ login: 'ann:p@ss' })
    const fetch = createNodeFetch({ proxy: proxy.url.replace('//', `//${login}`) })
    const sent = fetch(new Request(`${scheme}://${HOST}/`))
    await expect(sent).rejects.toMatchObject({ name: 'ProxyError', code: 'ERR_UNAUTHORIZED' })
    await expect(sent).rejects.toThrow(`the proxy ${proxy.url} ("proxy.${scheme}") ${reason}`)
    await expect(sent).rejects.not.toThrow('s3cret')
  })
})

describe('a proxy that fails', () => {
  it.each([
    [502, 'ERR_NETWORK'],
    [503, 'ERR_NETWORK'],
    [403, 'ERR_RESPONSE'],
    [301, 'ERR_RESPONSE'],
  ])('by %d to CONNECT is %s', async (status, code) => {
    const answer = `HTTP/1.1 ${status} X\r\nlocation: https://evil.example/\r\n\r\n`
    const proxy = await tlsBehindProxy({ connectAnswer: answer })
    const sent = createNodeFetch({ proxy: proxy.url })(new Request(`https://${HOST}/`))
    await expect(sent).rejects.toMatchObject({ name: 'ProxyError', code })
    await expect(sent).rejects.toThrow(`did not connect to ${HOST}:443 (${status})`)
  })

  it.each(['http', 'https'])('to be there is named for %s', async (scheme) => {
    const proxy = 'http://127.0.0.1:1'
    const sent = createNodeFetch({ proxy })(new Request(`${scheme}://${HOST}/`))
    const said = await sent.then(
      () => '',
      (error: Error) => `${error.message} ${(error.cause as Error).message}`,
    )
    expect(said).toContain(`${proxy} ("proxy.${scheme}")`)
  })

  it('by an answer that does not come ends by the signal, the deadline and the idle timeout', async () => {
    const proxy = await tlsBehindProxy({ connectAnswer: 'HTTP/1.1 200 ' })
    const url = new URL(`https://${HOST}/`)
    const reason = new Error('stop')
    const stop = new AbortController()
    const fetch = createNodeFetch({ proxy: proxy.url })
    const aborted = senderOf(fetch)!(url, { ...plain, signal: stop.signal })
    await until(() => proxy.seen.length === 1)
    stop.abort(reason)
    await expect(aborted).rejects.toBe(reason)
    const late = new Error('late')
    const deadline = { milliseconds: 30, error: () => late }
    await expect(senderOf(fetch)!(url, { ...plain, deadline })).rejects.toBe(late)
    const impatient = createNodeFetch({ proxy: proxy.url, idleTimeout: 30 })
    await expect(senderOf(impatient)!(url, plain)).rejects.toMatchObject({
      code: 'ERR_NETWORK',
      cause: { code: 'ETIMEDOUT' },
    })
  })

  it('by an answer of http that does not come ends by the signal', async () => {
    const { url } = await serve(hangs)
    const proxy = await startProxy({ port: portOf(url) })
    const stop = new AbortController()
    const fetch = createNodeFetch({ proxy: proxy.url })
    const sent = fetch(new Request(`http://${HOST}/`, { signal: stop.signal }))
    await until(() => proxy.seen.length === 1)
    stop.abort(new Error('stop'))
    await expect(sent).rejects.toThrow('stop')
  })

  it('by words of its own inside the tunnel is an error', async () => {
    const answer = 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil'
    const proxy = await talk((socket) => void socket.write(answer))
    const sent = createNodeFetch({ proxy })(new Request(`https://${HOST}/`))
    await expect(sent).rejects.toMatchObject({ name: 'ProxyError' })
  })
})
