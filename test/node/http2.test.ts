// HTTP/2 beside HTTP/1 on one port, in the clear and over TLS.
import { readFileSync } from 'node:fs'
import { request as requestTls } from 'node:https'
import { expect, describe, it } from 'vitest'
import { withWire } from '../../src/http/wire.ts'
import { createAppHandler } from '../../src/run/index.ts'
import { pulledApp } from '../run/fixtures.ts'
import { guest } from '../run/guests.ts'
import { http2Client, startHttp2 } from './http2-clients.ts'
import { rawClient } from './raw-client.ts'

const file = (name: string): string =>
  readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), 'utf8')
const tls = { cert: file('cert.pem'), key: file('key.pem') }

const echo = async (request: Request): Promise<Response> =>
  new Response(`${request.method} ${new URL(request.url).pathname} ${await request.text()}`)

describe.each([
  ['in the clear', {}],
  ['over TLS', { tls }],
])('%s', (_, options) => {
  it('answers clients of HTTP/2, many requests at once', async () => {
    const { ask } = http2Client(await startHttp2(echo, options))
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => ask({ ':path': `/${i}`, ':method': 'POST' }, `n${i}`)),
    )
    expect(answers.map(({ status, body, code }) => [status, body, code])).toEqual(
      answers.map((_, i) => [200, `POST /${i} n${i}`, 0]),
    )
  })

  it('takes large bodies both ways', async () => {
    const { ask } = http2Client(await startHttp2(echo, options))
    const large = 'x'.repeat(2_000_000)
    expect((await ask({ ':path': '/', ':method': 'POST' }, large)).body).toBe(`POST / ${large}`)
  })

  it('sends the head and what was written of an answer that breaks, then resets it', async () => {
    const url = await startHttp2(async () => {
      let sent = false
      const body = new ReadableStream({
        pull(controller) {
          if (sent) return controller.error(new Error('broken'))
          sent = true
          controller.enqueue(new TextEncoder().encode('before'))
        },
      })
      return new Response(body, { status: 202 })
    }, options)
    const { ask } = http2Client(url)
    for (const body of [undefined, 'x'.repeat(1_000_000)])
      expect(await ask({ ':path': '/', ':method': 'POST' }, body)).toMatchObject({
        status: 202,
        body: 'before',
        code: 2,
      })
    expect((await ask({ ':path': '/' })).status).toBe(202)
  })

  it('answers a request whose body it does not read', async () => {
    const { ask } = http2Client(await startHttp2(async () => new Response('no'), options))
    const large = 'x'.repeat(1_000_000)
    expect(await ask({ ':path': '/', ':method': 'POST' }, large)).toMatchObject({
      status: 200,
      body: 'no',
      code: 0,
    })
  })
})

it('answers HTTP/1 on the same port, in pieces too', async () => {
  const url = await startHttp2(echo)
  expect(await (await fetch(`${url}/one`, { method: 'POST', body: 'a' })).text()).toBe(
    'POST /one a',
  )
  const client = await rawClient(url)
  // Begins as HTTP/2 does.
  for (const part of [
    'P',
    'RO',
    'PFIND /two HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
  ]) {
    client.write(part)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect(await client.closed).toContain('PROPFIND /two')
})

it('answers HTTP/1 over TLS to clients that don’t choose', async () => {
  const url = await startHttp2(echo, { tls })
  const version = await new Promise((resolve, reject) =>
    requestTls(url, { rejectUnauthorized: false }, (message) => {
      message.resume()
      resolve(message.httpVersion)
    })
      .on('error', reject)
      .end(),
  )
  expect(version).toBe('1.1')
})

it('takes no HTTP/2 unless it is told to', async () => {
  const url = await startHttp2(echo, { http2: false })
  const { closed } = http2Client(url)
  await closed
})

it('repeated headers stay apart, those of a connection are left out, what may be there once is', async () => {
  const headers = [
    ['x-a', '1'],
    ['set-cookie', 'a=1'],
    ['x-a', '2'],
    ['set-cookie', 'b=2'],
    ['content-type', 'text/a'],
    ['content-type', 'text/b'],
    ['connection', 'close'],
    ['keep-alive', '5'],
  ] as const
  const made = new Response('x', { headers: headers as unknown as [string, string][] })
  const { ask } = http2Client(await startHttp2(async () => withWire(made, { headers })))
  const answer = await ask({ ':path': '/' })
  expect(answer.headers).toMatchObject({
    'x-a': '1, 2',
    'set-cookie': ['a=1', 'b=2'],
    'content-type': 'text/a',
  })
  expect(answer.headers.connection).toBe(undefined)
})

it('a guest gets values as they were sent, and trailers go both ways', async () => {
  const app = pulledApp({ guest: { wasm: guest('values') } }, [
    { route: '/...', component: 'guest' },
  ])
  const url = await startHttp2((await createAppHandler(app)).fetch)
  const { ask, session } = http2Client(url)
  const shown = await ask({ ':path': '//a/../b?c', ':method': 'BREW', 'x-a': ['1', '2'] })
  expect(shown.body).toMatch(
    /^BREW \/\/a\/\.\.\/b\?c\nauthority 127\.0\.0\.1:\d+\nx-a: 1\nx-a: 2\n/,
  )
  expect(shown.body).not.toMatch(/^:|\n:/)
  const stream = session.request(
    { ':path': '/trailers', ':method': 'POST' },
    { waitForTrailers: true },
  )
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-t': 'one' }))
  let text = ''
  let trailers: unknown
  stream.on('data', (chunk) => (text += chunk)).on('trailers', (sent) => (trailers = sent))
  stream.end('abc')
  await new Promise((resolve) => stream.once('close', resolve))
  expect(text).toBe('x-t: one\n')
  expect(trailers).toMatchObject({ 'x-sum': '0' })
})

it('an answer without a body ends with its head; one of gRPC too when its body proves empty', async () => {
  const bodyOf = (chunks: readonly string[]): ReadableStream => {
    const left = [...chunks]
    return new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 5))
        const next = left.shift()
        if (next === 'break') return controller.error(new Error('broken'))
        if (next === undefined) return controller.close()
        controller.enqueue(new TextEncoder().encode(next))
      },
    })
  }
  const headers = { 'grpc-status': '3' }
  const answers: Record<string, () => Response> = {
    '/null': () => new Response(null, { status: 204 }),
    '/empty': () => new Response(bodyOf([]), { headers, status: 201 }),
    '/chunks': () => new Response(bodyOf(['', 'a', 'b']), { headers, status: 201 }),
    '/broken': () => new Response(bodyOf(['break']), { headers, status: 201 }),
    '/short': () =>
      new Response(bodyOf([]), { headers: { ...headers, 'content-length': '2' }, status: 201 }),
    '/trailers': () =>
      withWire(new Response(bodyOf([]), { headers, status: 201 }), {
        headers: [['grpc-status', '3']],
        trailers: () => [['x-sum', '1']],
      }),
    '/other': () => new Response(bodyOf([]), { status: 201 }),
  }
  const url = await startHttp2(async (request) => {
    return (answers[new URL(request.url).pathname] as () => Response)()
  })
  const { ask } = http2Client(url)
  const seen: Record<string, unknown> = {}
  for (const path of Object.keys(answers)) {
    const { status, isHeadOnly, body, code, trailers } = await ask({ ':path': path })
    seen[path] = [status, isHeadOnly, body, code, trailers?.['x-sum']]
  }
  expect(seen).toEqual({
    '/null': [204, true, '', 0, undefined],
    '/empty': [201, true, '', 0, undefined],
    '/chunks': [201, false, 'ab', 0, undefined],
    '/broken': [201, false, '', 2, undefined],
    '/short': [201, false, '', 2, undefined],
    '/trailers': [201, false, '', 0, '1'],
    '/other': [201, false, '', 0, undefined],
  })
})

it('close() ends connections once their requests are answered', async () => {
  let answer = (_: Response): void => {}
  const { listen } = await import('../../src/node/listen/listen.ts')
  const listener = await listen(
    { fetch: () => new Promise((resolve) => (answer = resolve)) },
    { http2: true },
  )
  const { ask, closed } = http2Client(listener.url)
  const asked = ask({ ':path': '/' })
  await new Promise((resolve) => setTimeout(resolve, 50))
  const ended = listener.close()
  answer(new Response('late'))
  expect((await asked).body).toBe('late')
  await Promise.all([ended, closed])
})
