// What a component sends and receives, by Node's own client: nothing is added, decoded or joined.
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { withWire } from '../../src/http/wire.ts'
import { createOutboundFetch } from '../../src/node/fetch/outbound-fetch.ts'
import { hasJspi } from '../../src/run/component/abi/jspi.ts'
import { guest, run, type Running } from '../run/guests.ts'
import { expectNoWaiting } from '../run/waiting.ts'
import { createAuthority, serveAs } from './tls-servers.ts'

const open = new Map<Server, Set<Socket>>()

function close(server: Server): Promise<unknown> {
  const closed = new Promise((resolve) => server.close(resolve))
  for (const socket of open.get(server) ?? []) socket.destroy()
  open.delete(server)
  return closed
}

afterEach(async () => {
  await Promise.all([...open.keys()].map(close))
})

async function listening(server: Server): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  open.set(server, sockets)
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A server that keeps all that it gets, and answers each request with the next of some texts. */
async function speaking(
  answers: readonly string[],
  onRequest: (socket: Socket) => void = () => {},
): Promise<{ origin: string; received: () => string }> {
  let text = ''
  let answered = 0
  const server = createServer((socket) => {
    let own = ''
    let upTo = 0
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      own += chunk.toString('latin1')
      const end = own.indexOf('\r\n\r\n', upTo)
      if (end === -1) return
      const head = own.slice(upTo, end)
      const isWhole = !/^transfer-encoding/im.test(head) || own.slice(end).includes('\r\n0\r\n')
      if (!isWhole) return
      upTo = own.length
      const answer = answers[Math.min(answered++, answers.length - 1)]
      if (answer !== undefined) socket.write(answer, 'latin1')
      onRequest(socket)
    })
  })
  return { origin: await listening(server), received: () => text }
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

async function asking(hosts: readonly string[] = ['*://*:*']): Promise<Running> {
  const component = { wasm: guest('values'), metadata: { allowed_outbound_hosts: hosts } }
  return run(component, { fetch: createOutboundFetch() })
}

/** Where the engine has no JSPI the guest can't wait for an answer: it is refused instead. */
function describeWaiting(name: string, cases: () => void): void {
  if (hasJspi()) return void describe(name, cases)
  it(`${name}: refused, as this engine can’t wait`, async () => {
    const { origin } = await speaking([OK])
    await expectNoWaiting(await asking(), `/send/GET+none+http+${origin}+/`)
  })
}

const PATH = '/a//c?d=%2e;e'

describeWaiting('what a guest sends', () => {
  it('is all that is sent: repeated headers apart, the path as it is', async () => {
    const { origin, received } = await speaking([OK])
    const app = await asking()
    expect(await app.text(`/send/GET+none+http+${origin}+${PATH}`)).toMatch(/^200\n/)
    expect(received()).toBe(
      `GET ${PATH} HTTP/1.1\r\nhost: ${origin}\r\nx-twice: 1\r\nx-other: \x80\xff\r\nx-twice: 2\r\nConnection: keep-alive\r\n\r\n`,
    )
  })

  it.each([
    ['a POST without a body has a length of 0', 'POST+none', 'content-length: 0\r\n', ''],
    [
      'a POST with a body in chunks',
      'POST+body',
      'transfer-encoding: chunked\r\n',
      'a\r\nguest body\r\n0\r\n\r\n',
    ],
    ['a POST with a body of a length', 'POST+length', 'content-length: 10\r\n', 'guest body'],
    ['a GET whose body is opened and stays empty has none', 'GET+open', '', ''],
    [
      'a GET with a body',
      'GET+body',
      'transfer-encoding: chunked\r\n',
      'a\r\nguest body\r\n0\r\n\r\n',
    ],
    ['a method that HTTP does not define', 'BREW+none', 'content-length: 0\r\n', ''],
    [
      'trailers after the body',
      'POST+trailers',
      'transfer-encoding: chunked\r\n',
      'a\r\nguest body\r\n0\r\nx-sum: 10\r\n\r\n',
    ],
    [
      'no expectation: nobody waits for it',
      'POST+expect',
      'transfer-encoding: chunked\r\n',
      'a\r\nguest body\r\n0\r\n\r\n',
    ],
  ])('%s', async (_, what, header, body) => {
    const { origin, received } = await speaking([OK])
    const app = await asking()
    expect(await app.text(`/send/${what}+http+${origin}+/`)).toMatch(/^200\n/)
    const [method] = what.split('+')
    const [head = '', ...rest] = received().split('\r\n\r\n')
    expect(`${head}\r\n`).toBe(
      `${method} / HTTP/1.1\r\nhost: ${origin}\r\nx-twice: 1\r\nx-other: \x80\xff\r\nx-twice: 2\r\n${header}Connection: keep-alive\r\n`,
    )
    expect(rest.join('\r\n\r\n')).toBe(body)
  })
})

describeWaiting('what a guest receives', () => {
  const answering = async (listener: RequestListener): Promise<string> =>
    listening(createHttpServer(listener))

  it('keeps its coding, length, repeated headers and trailers', async () => {
    const coded = gzipSync('x'.repeat(100))
    const origin = await answering((_, response) => {
      response.sendDate = false
      response.writeHead(200, [
        ...['Content-Encoding', 'gzip', 'Content-Length', String(coded.length)],
        ...['X-A', '1', 'X-B', '\xe9', 'X-A', '2'],
      ])
      response.end(coded)
    })
    const app = await asking()
    const response = await app.get(`/send/GET+none+http+${origin}+/`)
    const text = Buffer.from(await response.arrayBuffer()).toString('latin1')
    expect(text).toBe(
      `200\ncontent-encoding: gzip\ncontent-length: ${coded.length}\nx-a: 1\nx-b: \xe9\nx-a: 2\n\n${coded.toString('latin1')}`,
    )
  })

  it('is not said to be coded where the platform’s fetch has decoded it', async () => {
    const origin = await answering((_, response) => {
      response.writeHead(200, { 'Content-Encoding': 'gzip', 'X-A': '1' })
      response.end(gzipSync('plain'))
    })
    const component = { wasm: guest('values'), metadata: { allowed_outbound_hosts: ['*://*:*'] } }
    const text = await (await run(component)).text(`/send/GET+none+http+${origin}+/`)
    expect(text).toMatch(/x-a: 1\n\nplain$/)
    expect(text).not.toMatch(/content-(?:encoding|length)/)
  })

  it('gets trailers', async () => {
    const origin = await answering((_, response) => {
      response.write('body')
      response.addTrailers([['X-Sum', '4']] as unknown as [string, string][])
      response.end()
    })
    const app = await asking()
    expect(await app.text(`/send/GET+none+http+${origin}+/`)).toMatch(/\n\nbody\n-- x-sum: 4\n$/)
  })

  it.each(['', 'none'])('its own application answers the authority "%s"', async (authority) => {
    const app = await asking(['http://self'])
    const text = await app.text(`/send/POST+body+http+${authority}+/p//q?r`)
    expect(text).toMatch(/^200\n\n2 \/p\/\/q\?r\n[^]*x-twice: 1\nx-other[^]*x-twice: 2\n/)
    const refused = await asking([])
    expect(await refused.text(`/send/GET+none+http+${authority}+/p`)).toBe('error 15')
  })
})

describeWaiting('a request that fails', () => {
  const refused = async (): Promise<string> => {
    const server = createServer()
    const origin = await listening(server)
    await close(server)
    return origin
  }
  const cases: ReadonlyArray<
    readonly [what: string, code: number, log: RegExp, () => Promise<string>]
  > = [
    [
      'a name that is not there',
      1,
      /DNS-error \(ENOTFOUND\)|DNS-timeout \(EAI_AGAIN\)/,
      async () => 'http+nowhere.invalid+/',
    ],
    [
      'a port that nobody listens on',
      6,
      /connection-refused \(ECONNREFUSED\)/,
      async () => `http+${await refused()}+/`,
    ],
    [
      'a server that resets the connection',
      7,
      /connection-terminated \(ECONNRESET\)/,
      async () => `http+${(await speaking([], (socket) => socket.resetAndDestroy())).origin}+/`,
    ],
    [
      'a server that speaks something else',
      35,
      /HTTP-protocol-error \(HPE_/,
      async () => `http+${(await speaking(['hello there\r\n\r\n'])).origin}+/`,
    ],
    [
      'a server that does not answer in time',
      33,
      /HTTP-response-timeout/,
      async () => `http+${(await speaking([])).origin}+/slow`,
    ],
    [
      'TLS with a server that has none',
      12,
      /TLS-protocol-error \((?:EPROTO|ERR_SSL_)/,
      async () =>
        `https+${await listening(createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n')))}+/`,
    ],
    [
      'a certificate that nobody vouches for',
      13,
      /TLS-certificate-error \(/,
      async () => `https+${(await serveAs(await createAuthority('ours'))).host}+/`,
    ],
  ]
  it.each(cases)('tells the guest of which kind, and the log: %s', async (_, code, log, make) => {
    const app = await asking()
    const text = await app.text(`/send/GET+none+${await make()}`)
    expect(text).toMatch(code === 1 ? /^error [01]$/ : new RegExp(`^error ${code}$`))
    expect(app.log.map((line) => line.text)).toContainEqual(expect.stringMatching(log))
  })

  it('fails while its answer comes: the guest sees that it broke', async () => {
    const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'
    const { origin } = await speaking(
      [answer],
      (socket) => void setTimeout(() => socket.destroy(), 20),
    )
    const app = await asking()
    expect(await app.text(`/send/GET+none+http+${origin}+/`)).toMatch(/\n\nhalf\[failed\]$/)
  })

  it('is given up when the answer stops for too long', async () => {
    const { origin } = await speaking(['HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'])
    const app = await asking()
    expect(await app.text(`/send/GET+none+http+${origin}+/slow`)).toMatch(/\n\nhalf\[failed\]$/)
  })
})

describe('a connection that was kept and is stale', () => {
  /** The first connection answers once, and is reset when it is asked again. */
  const start = async (): Promise<{ url: string; asked: () => string[] }> => {
    const methods: string[] = []
    let connections = 0
    const server = createServer((socket) => {
      const isFirst = connections++ === 0
      let asked = 0
      socket.on('error', () => {})
      socket.on('data', (chunk) => {
        methods.push(chunk.toString('latin1').split(' ', 1)[0] as string)
        if (isFirst && asked++ > 0) return socket.resetAndDestroy()
        socket.write(OK)
      })
    })
    return { url: `http://${await listening(server)}/`, asked: () => methods }
  }

  it.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])('%s is sent once more', async (method) => {
    const { url, asked } = await start()
    const fetch = createOutboundFetch()
    await (await fetch(new Request(url))).text()
    expect((await fetch(new Request(url, { method }))).status).toBe(200)
    expect(asked()).toEqual(['GET', method, method])
  })

  it.each([
    ['POST', undefined],
    ['POST', 'body'],
    ['PUT', 'body'],
    ['PATCH', undefined],
  ])('%s with the body %s is not: it may have arrived', async (method, body) => {
    const { url, asked } = await start()
    const fetch = createOutboundFetch()
    await (await fetch(new Request(url))).text()
    const init = body === undefined ? { method } : { method, body }
    await expect(fetch(new Request(url, init))).rejects.toThrow('fetch failed')
    expect(asked().filter((one) => one === method)).toHaveLength(1)
  })
})

describe('a body of another length than announced', () => {
  it.each([
    ['more', '3', 'four'],
    ['less', '5', 'four'],
  ])('breaks the request: %s', async (_, length, body) => {
    const { origin, received } = await speaking([])
    const headers = { 'content-length': length }
    const request = new Request(`http://${origin}/`, { method: 'POST', headers, body })
    await expect(createOutboundFetch()(request)).rejects.toThrow('fetch failed')
    expect(received()).not.toContain('four')
  })

  it.each(['1, 2', '-1', 'x', '0x1'])('is refused when the length is "%s"', async (length) => {
    const { origin, received } = await speaking([OK])
    const headers = { 'content-length': length }
    const request = new Request(`http://${origin}/`, { method: 'POST', headers, body: 'a' })
    await expect(createOutboundFetch()(request)).rejects.toThrow('fetch failed')
    expect(received()).toBe('')
  })
})

it('sends a path as it is, also where a URL would be another', async () => {
  const { origin, received } = await speaking([OK])
  const request = withWire(new Request(`http://${origin}/`), { headers: [], target: '/a/../%2e?' })
  await (await createOutboundFetch()(request)).text()
  expect(received()).toMatch(/^GET \/a\/..\/%2e\? HTTP\/1\.1\r\n/)
})

it('ends with the reason of the signal, before and while an answer comes', async () => {
  const { origin } = await speaking(['HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'])
  const silent = await speaking([])
  const reason = new Error('left')
  const before = new AbortController()
  const asked = createOutboundFetch()(
    new Request(`http://${silent.origin}/`, { signal: before.signal }),
  )
  setTimeout(() => before.abort(reason), 20)
  await expect(asked).rejects.toBe(reason)
  const during = new AbortController()
  const response = await createOutboundFetch()(
    new Request(`http://${origin}/`, { signal: during.signal }),
  )
  during.abort(reason)
  await expect(response.text()).rejects.toBe(reason)
})
