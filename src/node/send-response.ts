import type { ServerResponse } from 'node:http'
import { chunksOf } from '../bytes/stream.ts'
import { exactHeaders, type HeaderPairs, wireOf } from '../http/wire.ts'
import { breakBody, LINGER } from './refused-body.ts'

/** Statuses whose answers have no body, and say nothing of its length. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304])

/**
 * Sends a `fetch` handler's answer. Resolves when all of it is sent, or its client has left.
 *
 * Where its body breaks, the client gets the head and all that came before, and then the end of the
 * connection, so that the answer is not taken for whole: unless all of its `Content-Length` is there.
 */
export async function sendResponse(target: ServerResponse, response: Response): Promise<void> {
  const { status, body } = response
  const headers: string[] = []
  let length: number | undefined
  for (const [name, value] of exactHeaders(response)) {
    headers.push(name, value)
    if (name === 'content-length') length = Number(value)
  }
  const isHead = target.req.method === 'HEAD'
  if (body === null && length === undefined && !isHead && !WITHOUT_BODY.has(status))
    headers.push('content-length', '0')
  if (target.destroyed) return void body?.cancel().catch(() => {})
  // Without a phrase of its own, Node's is taken.
  target.writeHead(status, response.statusText || undefined, headers)
  if (body === null || isHead) {
    void body?.cancel().catch(() => {})
    return end(target)
  }
  const left = new AbortController()
  target.once('close', () => left.abort())
  let sent = 0
  try {
    for await (const chunk of chunksOf(body, left.signal)) {
      sent += chunk.length
      if (!target.write(chunk)) await drained(target)
    }
    sendTrailers(target, wireOf(response)?.trailers?.() ?? [])
    await end(target)
  } catch {
    if (sent === length) await end(target)
    else if (!target.destroyed) cut(target)
  }
}

function drained(target: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      target.off('drain', done).off('close', done)
      resolve()
    }
    if (target.destroyed) resolve()
    else target.on('drain', done).on('close', done)
  })
}

/** Only to who says that it takes them: others may take them for a next answer. */
function sendTrailers(target: ServerResponse, trailers: HeaderPairs): void {
  const isTaken = /(?:^|,)[\t ]*trailers[\t ]*(?:,|;|$)/i.test(String(target.req.headers.te ?? ''))
  if (trailers.length > 0 && isTaken)
    target.addTrailers(trailers.map(([name, value]): [string, string] => [name, value]))
}

/** Throws when the body is shorter than it was said to be. */
function end(target: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    target.once('close', resolve)
    target.end(resolve)
  })
}

/**
 * Ends the connection after what was written. What the client still sends is thrown away for a
 * while: closed with bytes unread, a connection is reset, and takes with it what was sent before.
 */
function cut(target: ServerResponse): void {
  const { req: request, socket } = target
  // An earlier request of the connection has not got its answer yet.
  if (socket === null) return void target.once('socket', () => cut(target))
  target.flushHeaders()
  // Node gathers what is written in one turn.
  setImmediate(() => socket.end())
  if (request.complete) return void socket.once('finish', () => target.destroy())
  breakBody(request)
  const timer = setTimeout(() => target.destroy(), LINGER)
  for (const event of ['end', 'close'])
    request.once(event, () => {
      clearTimeout(timer)
      target.destroy()
    })
}
