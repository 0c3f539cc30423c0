// Answers that break after they have begun: the client gets what there was, then the end of the
// connection, whatever it still sends.
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { listen, type Listener } from '../../src/node/listen/listen.ts'
import type { FetchHandler } from '../../src/types.ts'

const open: Listener[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.close()))
})

async function start(fetch: FetchHandler['fetch']): Promise<string> {
  const listener = await listen({ fetch })
  open.push(listener)
  return listener.url
}

/** Sends a request and all of its body, and gives what came until the connection ended. */
function exchange(url: string, head: string, body = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString('latin1')))
    socket.on('end', () => resolve(text))
    socket.on('error', (error) =>
      reject(new Error(`reset after ${JSON.stringify(text)}: ${error.message}`)),
    )
    socket.write(`${head} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`)
    socket.write(body)
  })
}

const LARGE = 'x'.repeat(3_000_000)
const encode = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)

/** A body of some chunks that then breaks. */
function breaking(...chunks: string[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  const left = [...chunks]
  return new ReadableStream(
    {
      pull(controller) {
        const chunk = left.shift()
        if (chunk === undefined) controller.error(new Error('broken'))
        else controller.enqueue(encode(chunk))
      },
    },
    { highWaterMark: 0 },
  )
}

/** What stands in the chunks of an answer, which has no last one. */
function chunksIn(answer: string): string {
  const body = answer.slice(answer.indexOf('\r\n\r\n') + 4)
  expect(body).toMatch(/^(?:[1-9a-f]+\r\n[a-z]+\r\n)+$/)
  return [...body.matchAll(/[a-z]{3,}/g)].join('')
}

const REQUESTS = [
  ['GET', ''],
  ['POST', ''],
  ['POST', LARGE],
] as const
const READS: ReadonlyArray<readonly [string, (request: Request) => unknown]> = [
  ['nothing', () => {}],
  ['the first bytes', (request) => request.body?.getReader().read()],
  ['and gives it up', (request) => request.body?.cancel()],
  ['all of it, while its answer breaks', (request) => void request.arrayBuffer().catch(() => {})],
]

describe.each(READS)(
  'an answer that breaks, by a handler that reads %s of the request',
  (_, read) => {
    it.each(REQUESTS)(
      '%s: the head and what was written come, then the end',
      async (method, body) => {
        const url = await start(async (request) => {
          await read(request)
          return new Response(breaking('one', 'two'), { status: 202, headers: { 'x-kept': 'yes' } })
        })
        const answer = await exchange(url, `${method} /`, body)
        expect(answer).toMatch(/^HTTP\/1\.1 202 Accepted\r\nx-kept: yes\r\n/)
        expect(chunksIn(answer)).toBe('onetwo')
        expect((await fetch(url)).status).toBe(202)
      },
    )

    it.each(REQUESTS)('%s: the head comes where nothing was written', async (method, body) => {
      const url = await start(async (request) => {
        await read(request)
        return new Response(breaking(), { status: 202 })
      })
      expect(await exchange(url, `${method} /`, body)).toMatch(
        /^HTTP\/1\.1 202 Accepted\r\n[^]*\r\n\r\n$/,
      )
    })
  },
)

describe('an answer that breaks and has said how long it is', () => {
  const answering = (length: number, ...chunks: string[]): Promise<string> =>
    start(
      async () =>
        new Response(breaking(...chunks), { headers: { 'content-length': String(length) } }),
    )

  it('is whole when all of it was there: the connection is kept', async () => {
    const url = await answering(6, 'one', 'two')
    const answer = await exchange(
      url,
      'GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nConnection: close\r\nX: GET /',
    )
    // Both requests are answered, on the same connection.
    expect(answer.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2)
    expect(answer).toContain('\r\n\r\nonetwo')
  })

  it('is cut when some of it was not', async () => {
    const url = await answering(7, 'one', 'two')
    expect((await exchange(url, 'GET /')).endsWith('\r\n\r\nonetwo')).toBe(true)
    await expect((await fetch(url)).text()).rejects.toThrow()
  })
})

it('sends a length with an empty answer, but none with one that has no body', async () => {
  const url = await start(async (request) => {
    const status = Number(new URL(request.url).pathname.slice(1))
    return new Response(null, { status })
  })
  const lengthOf = async (status: number, method = 'GET'): Promise<string | null> =>
    (await fetch(`${url}/${status}`, { method })).headers.get('content-length')
  expect(await lengthOf(200)).toBe('0')
  expect(await lengthOf(404)).toBe('0')
  expect(await lengthOf(204)).toBe(null)
  expect(await lengthOf(304)).toBe(null)
  expect(await lengthOf(200, 'HEAD')).toBe(null)
})

it('waits for its turn where an earlier answer is under way on the connection', async () => {
  const url = await start(async (request) => {
    if (request.url.endsWith('/late')) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      return new Response('first')
    }
    return new Response(breaking('one'), { status: 202 })
  })
  const answer = await exchange(url, 'GET /late HTTP/1.1\r\nHost: localhost\r\n\r\nGET /')
  expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*first[^]*HTTP\/1\.1 202 [^]*one/)
})
