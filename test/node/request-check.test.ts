import { afterEach, describe, expect, it } from 'vitest'
import { listen, type Listener, type ListenOptions } from '../../src/node/listen/listen.ts'
import { rawClient, statusOf } from './raw-client.ts'

const listeners: Listener[] = []
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close()
})

/** Answers with the method, the URL's path and query, and the length of all header values. */
async function start(options: ListenOptions = {}): Promise<string> {
  const fetch = async ({ method, url, headers }: Request): Promise<Response> => {
    const { pathname, search } = new URL(url)
    const length = [...headers].reduce((sum, [, value]) => sum + value.length, 0)
    return Response.json({ method, path: pathname, search, length })
  }
  const listener = await listen({ fetch }, { allowedHosts: ['*'], ...options })
  listeners.push(listener)
  return listener.url
}

async function say(url: string, text: string): Promise<string> {
  const client = await rawClient(url)
  client.write(text)
  return client.closed
}

const ask = async (line: string, ...headers: string[]): Promise<string> =>
  say(await start(), [line, ...headers, 'Connection: close', '', ''].join('\r\n'))
const body = (answer: string): unknown => JSON.parse(/\{.*\}/.exec(answer)?.[0] ?? 'null')

describe('a request whose target is ambiguous', () => {
  it.each([
    ['two hosts', 'GET / HTTP/1.1', ['Host: a', 'Host: b']],
    ['the same host twice', 'GET / HTTP/1.1', ['Host: a', 'host: a']],
    ['no host', 'GET / HTTP/1.1', []],
    ['an empty host', 'GET / HTTP/1.1', ['Host:']],
    ['a host with a path', 'GET / HTTP/1.1', ['Host: a/b']],
    ['a host with a query', 'GET / HTTP/1.1', ['Host: a?b']],
    ['a host with user info', 'GET / HTTP/1.1', ['Host: b@a']],
    ['a list of hosts', 'GET / HTTP/1.1', ['Host: a, b']],
    ['a port that is none', 'GET / HTTP/1.1', ['Host: a:x']],
    ['an address of another host', 'GET http://b/ HTTP/1.1', ['Host: a']],
    ['an address of another port', 'GET http://a:81/ HTTP/1.1', ['Host: a']],
    ['an address with user info', 'GET http://b@a/ HTTP/1.1', ['Host: a']],
    ['an address of another scheme', 'GET ftp://a/ HTTP/1.1', ['Host: a']],
    ['no path', 'GET a HTTP/1.1', ['Host: a']],
    ['an asterisk', 'GET * HTTP/1.1', ['Host: a']],
  ])('is answered with 400: %s', async (_, line, headers) => {
    expect(statusOf(await ask(line, ...headers))).toBe(400)
  })

  it('is named in the answer', async () => {
    expect(await ask('GET / HTTP/1.1', 'Host: a', 'Host: b')).toContain(
      '\r\n\r\nthe request has more than one Host header\n',
    )
  })
})

it.each([
  ['a path', 'GET /p?q HTTP/1.1', ['Host: a.example:8080'], '/p'],
  ['an address of the host', 'GET http://A.example:80/p?q HTTP/1.1', ['Host: a.example'], '/p'],
  ['an IPv6 host', 'GET /p?q HTTP/1.1', ['Host: [::1]:80'], '/p'],
  ['no host, in HTTP/1.0', 'GET /p?q HTTP/1.0', [], '/p'],
  ['two slashes', 'GET //b.example/p?q HTTP/1.1', ['Host: a'], '//b.example/p'],
])('a request is handled: %s', async (_, line, headers, path) => {
  expect(body(await ask(line, ...headers))).toMatchObject({ path, search: '?q' })
})

describe('a method', () => {
  it.each(['TRACE / HTTP/1.1', 'CONNECT a:80 HTTP/1.1'])(
    'that a Request can’t carry is answered with 405: %s',
    async (line) => {
      const answer = await ask(line, 'Host: a')
      expect(statusOf(answer)).toBe(405)
      expect(answer).toMatch(/\r\nAllow: GET, /)
    },
  )

  it.each(['PROPFIND', 'PURGE', 'M-SEARCH'])(
    'of an extension of HTTP is handled: %s',
    async (method) => {
      expect(body(await ask(`${method} / HTTP/1.1`, 'Host: a'))).toMatchObject({ method })
    },
  )

  it('that the parser doesn’t know is answered with 501', async () => {
    expect(statusOf(await ask('BREW / HTTP/1.1', 'Host: a'))).toBe(501)
  })

  it('is none, in what only begins like a request: 400', async () => {
    const url = await start()
    expect(statusOf(await say(url, '\x16\x03\x01\x00\xa5\x01\x00\x00'))).toBe(400)
  })
})

describe('the size of a request’s head', () => {
  const long = 'x'.repeat(100_000)

  it('is that of Node, unless said otherwise', async () => {
    const answer = await ask(`GET /?${long} HTTP/1.1`, 'Host: a')
    expect(statusOf(answer)).toBe(431)
    expect(answer).toContain(
      "longer than 16384 bytes; the server's option maxHeaderSize, or its flag",
    )
  })

  it('may be as large as an option says, in its line and its headers', async () => {
    const url = await start({ maxHeaderSize: 417_792 })
    const lines = [`GET /?${long} HTTP/1.1`, 'Host: a', `X-A: ${long}`, `X-B: ${long}`]
    const answer = await say(url, [...lines, 'Connection: close', '', ''].join('\r\n'))
    expect(body(answer)).toMatchObject({ search: `?${long}`, length: 200_000 + 'aclose'.length })
  })

  it('is bounded in the number of headers: none is left out without a word', async () => {
    const url = await start({ maxHeaderSize: 417_792 })
    const headers = (count: number): string[] => Array.from({ length: count }, (_, i) => `X${i}: v`)
    const send = (count: number): Promise<string> =>
      say(
        url,
        ['GET / HTTP/1.1', 'Host: a', 'Connection: close', ...headers(count), '', ''].join('\r\n'),
      )
    expect(body(await send(1998))).toMatchObject({ length: 1998 + 'aclose'.length })
    expect(statusOf(await send(1999))).toBe(431)
  })
})

describe('an answer that is longer or shorter than it says', () => {
  it.each([
    ['5', 'hello world'],
    ['50', 'hello world'],
  ])('does not pass for the next one: %s bytes', async (length, text) => {
    const headers = { 'content-length': length }
    const stream = (): ReadableStream =>
      new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(text))
          controller.close()
        },
      })
    const listener = await listen(
      { fetch: async () => new Response(stream(), { headers }) },
      { allowedHosts: ['*'] },
    )
    listeners.push(listener)
    const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
    const answer = await say(listener.url, get + get)
    expect(answer.split('HTTP/1.1').length).toBeLessThanOrEqual(2)
  })
})
