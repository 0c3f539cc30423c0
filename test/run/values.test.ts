// Values of HTTP messages, as they are sent and as they arrive. Wasmtime answers for the same guest
// where it is there.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exactHeaders, withWire } from '../../src/http/wire.ts'
import { listen, type Listener } from '../../src/node/listen/listen.ts'
import { createAppHandler } from '../../src/run/index.ts'
import { answerPort, createPortHandler } from '../../src/run/web-worker/port.ts'
import type { FetchHandler } from '../../src/types.ts'
import { rawClient } from '../node/raw-client.ts'
import { pulledApp } from './fixtures.ts'
import { guest } from './guests.ts'
import { inboundEcho, legacyEcho } from './header-guests.ts'
import { findWasmtime } from './wasmtime-program.ts'

async function handlerOf(wasm: Uint8Array): Promise<FetchHandler> {
  return createAppHandler(pulledApp({ guest: { wasm } }, [{ route: '/...', component: 'guest' }]))
}

const open: Array<{ close(): unknown }> = []
afterAll(async () => {
  await Promise.all(open.map((one) => one.close()))
})

async function serve(handler: FetchHandler): Promise<string> {
  const listener: Listener = await listen(handler)
  open.push(listener)
  return listener.url
}

/** The same handler at the other end of a port, as `up` has it in a thread. */
function throughPort(handler: FetchHandler): FetchHandler {
  const { port1, port2 } = new MessageChannel()
  open.push(port1)
  answerPort(port1, handler)
  return createPortHandler(port2)
}

interface Answer {
  readonly status: string
  readonly headers: readonly string[]
  /** As Latin-1, without chunks; trailers are in it. */
  readonly body: string
}

const OF_SERVERS = /^(?:connection|date|transfer-encoding|keep-alive):/i

/** Lines of one request as they are, and what came back. */
async function ask(url: string, ...lines: readonly string[]): Promise<Answer> {
  const client = await rawClient(url)
  const at = lines.indexOf('')
  const [head, body] = at === -1 ? [lines, []] : [lines.slice(0, at), lines.slice(at + 1)]
  client.socket.write(
    [...head, 'Host: localhost', 'Connection: close', '', body.join('\r\n')].join('\r\n'),
    'latin1',
  )
  const text = await client.closed
  const end = text.indexOf('\r\n\r\n')
  const [status = '', ...headers] = text.slice(0, end).split('\r\n')
  const rest = text.slice(end + 4)
  const isChunked = headers.some((line) => /^transfer-encoding: chunked$/i.test(line))
  return {
    status,
    headers: headers.filter((line) => !OF_SERVERS.test(line)),
    body: isChunked ? rest.replace(/^[0-9A-F]+\r\n([^]*?)\r\n0\r\n([^]*)$/i, '$1$2').trim() : rest,
  }
}

const SPIN = /^spin-.*\n?/gm

describe('what a guest of WASI 0.2 gets of a request', () => {
  let urls: readonly string[]
  beforeAll(async () => {
    const handler = await handlerOf(guest('values'))
    urls = await Promise.all([serve(handler), serve(throughPort(handler))])
  })
  const shown = async (...lines: string[]): Promise<string> => {
    const [one, other] = await Promise.all(urls.map((url) => ask(url, ...lines)))
    expect(one).toEqual(other)
    return (one?.body ?? '').replace(SPIN, '').trim()
  }

  it('repeated headers apart and in order, each byte of a value, no host', async () => {
    const bytes = Array.from({ length: 0xff - 0x20 }, (_, i) => 0x21 + i)
      .filter((byte) => byte !== 0x7f)
      .map((byte) => String.fromCharCode(byte))
      .join('')
    const headers = ['X-A: 1', 'x-b: 3', 'X-A: 2, 4', 'Cookie: a=1', 'cookie: b=2', 'x-none:']
    expect(await shown('GET /h HTTP/1.1', ...headers, `x-bytes: ${bytes}`)).toBe(
      `0 /h\nauthority localhost\nx-a: 1\nx-b: 3\nx-a: 2, 4\ncookie: a=1\ncookie: b=2\nx-none: \nx-bytes: ${bytes}`,
    )
  })

  it.each([
    '//a/../b;c=%2e%41?x=%20+y&x=/../',
    '/%2e%2e/x',
    '/a//b/./?',
    '/a\\b',
    '/',
    '/?a?b',
    '/%ff%00',
  ])('path and query as they were: %s', async (target) => {
    expect(await shown(`GET ${target} HTTP/1.1`)).toBe(`0 ${target}\nauthority localhost`)
  })

  it('no fragment, and of an absolute target what follows the host', async () => {
    expect(await shown('GET /q#f?x HTTP/1.1')).toContain('0 /q\n')
    expect(await shown('GET http://localhost/a/../b?c HTTP/1.1')).toContain('0 /a/../b?c\n')
  })

  it('methods that HTTP does not define', async () => {
    expect(await shown('PROPFIND /p HTTP/1.1')).toContain('PROPFIND /p\n')
    const handler = await handlerOf(guest('values'))
    const response = await handler.fetch(new Request('http://app.example/p', { method: 'BREW' }))
    expect(await response.text()).toContain('BREW /p\n')
  })

  it('trailers, in lower case, and its own go back to who takes them', async () => {
    const body = ['3', 'abc', '0', 'X-T: one', 'x-t: two', '', '']
    const chunked = 'Transfer-Encoding: chunked'
    expect(await shown('POST /trailers HTTP/1.1', chunked, 'TE: trailers', '', ...body)).toBe(
      'x-t: one\nx-t: two\nx-sum: 0',
    )
    expect(await shown('POST /trailers HTTP/1.1', chunked, '', ...body)).toBe('x-t: one\nx-t: two')
  })

  it('repeated headers of its answer stay apart and in order', async () => {
    const [one, other] = await Promise.all(urls.map((url) => ask(url, 'GET /twice HTTP/1.1')))
    expect(one).toEqual(other)
    const bytes = Array.from({ length: 0xff - 0x20 }, (_, i) => 0x21 + i)
      .filter((byte) => byte !== 0x7f)
      .map((byte) => String.fromCharCode(byte))
      .join('')
    expect(one?.headers).toEqual([
      'x-b: 1',
      'set-cookie: a=1',
      'x-a: 2',
      'x-b: 3',
      'set-cookie: b=2',
      `x-bytes: v${bytes}`,
      'x-empty: ',
    ])
  })

  it('an answer without a body has a length of 0', async () => {
    for (const url of urls) {
      expect((await ask(url, 'GET /bare HTTP/1.1')).headers).toEqual(['content-length: 0'])
      expect((await ask(url, 'HEAD /bare HTTP/1.1')).headers).toEqual([])
    }
  })
})

describe.each([
  ['fermyon:spin/inbound-http', inboundEcho],
  ['a core module', legacyEcho],
])('%s', (_, make) => {
  it('gets and gives repeated headers apart and in order', async () => {
    const url = await serve(await handlerOf(await make()))
    const { headers } = await ask(url, 'GET / HTTP/1.1', 'X-A: 1', 'x-b: \xe9', 'x-a: 2')
    expect(headers.filter((line) => line.startsWith('x-'))).toEqual([
      'x-a: 1',
      'x-b: \xe9',
      'x-a: 2',
    ])
  })
})

describe('where Wasmtime is there', () => {
  const wasmtime = findWasmtime()
  if (wasmtime === undefined)
    return it('it answers the same', (context) => context.skip('no wasmtime: see CONTRIBUTING.md'))
  let theirs: string
  let ours: string
  beforeAll(async () => {
    ours = await serve(await handlerOf(guest('values')))
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as { port: number }
    probe.close()
    theirs = `http://127.0.0.1:${port}`
    const file = fileURLToPath(new URL('../guests/values.wasm', import.meta.url))
    const peer = spawn(wasmtime, ['serve', '--addr', `127.0.0.1:${port}`, '-S', 'cli', file])
    open.push({ close: () => peer.kill() })
    await once(peer.stderr, 'data')
  })

  it.each([
    ['GET //a/../b;c=%2e%41?x=%20+y HTTP/1.1'],
    ['GET /h HTTP/1.1', 'X-A: 1', 'X-A: 2', 'cookie: a', 'cookie: b', 'x-bytes: \x80\xff'],
    ['PROPFIND /p HTTP/1.1'],
    ['GET /q#f?x HTTP/1.1'],
    ['GET http://localhost/a/../b?c HTTP/1.1'],
    ['GET /bare HTTP/1.1'],
    ['GET /opened HTTP/1.1'],
    ['HEAD /bare HTTP/1.1'],
    ['GET /twice HTTP/1.1'],
    [
      'POST /trailers HTTP/1.1',
      'TE: trailers',
      'Transfer-Encoding: chunked',
      '',
      '1',
      'a',
      '0',
      'X-T: 1',
      '',
      '',
    ],
  ])('it answers the same to %s', async (...lines) => {
    const [own, other] = await Promise.all([ours, theirs].map((url) => ask(url, ...lines)))
    expect(own?.status).toBe(other?.status)
    expect(own?.body.replace(SPIN, '').trim()).toBe(other?.body.trim())
    // Wasmtime puts headers of one name together.
    expect(own?.headers.toSorted()).toEqual(other?.headers.toSorted())
  })
})

describe('headers of a message that a handler in between has changed', () => {
  const sent = [
    ['x-a', '1'],
    ['x-b', '2'],
    ['x-a', '3'],
  ] as const
  const message = (): Response =>
    withWire(new Response(null, { headers: sent as unknown as [string, string][] }), {
      headers: sent,
    })

  it('are those that were sent, as long as they are', () => {
    expect(exactHeaders(message())).toEqual(sent)
  })

  it.each<[string, (headers: Headers) => void, HeadersInit]>([
    ['removed', (headers) => headers.delete('x-a'), [['x-b', '2']]],
    [
      'set',
      (headers) => headers.set('x-a', '1'),
      [
        ['x-b', '2'],
        ['x-a', '1'],
      ],
    ],
    [
      'added',
      (headers) => headers.append('x-b', '9'),
      [
        ['x-a', '1'],
        ['x-a', '3'],
        ['x-b', '2, 9'],
      ],
    ],
  ])('count as they are when one was %s', (_, change, expected) => {
    const changed = message()
    change(changed.headers)
    expect(exactHeaders(changed)).toEqual(expected)
  })
})
