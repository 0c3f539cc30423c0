import type { ServerResponse } from 'node:http'
import { constants } from 'node:http2'
import { chunksOf } from '../../bytes/stream.ts'
import { exactHeaders, type HeaderPairs, wireOf } from '../../http/wire.ts'
import { isClosed, resetStream, streamOf } from './http2-server.ts'
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
  const { status, body, statusText } = response
  const headers = [...exactHeaders(response)]
  const length = headers.find(([name]) => name === 'content-length')?.[1]
  const isHead = target.req.method === 'HEAD'
  if (body === null && length === undefined && !isHead && !WITHOUT_BODY.has(status))
    headers.push(['content-length', '0'])
  if (isClosed(target)) return void body?.cancel().catch(() => {})
  let isOpen = false
  const open = (isEnd = false): void => {
    if (!isOpen) writeHead(target, status, statusText, headers, isEnd)
    isOpen = true
  }
  if (body === null || isHead) {
    open(true)
    void body?.cancel().catch(() => {})
    return end(target)
  }
  if (!isGrpcStatus(target, headers)) open()
  const left = new AbortController()
  target.once('close', () => left.abort())
  let sent = 0
  try {
    for await (const chunk of chunksOf(body, left.signal)) {
      if (chunk.length > 0) open()
      sent += chunk.length
      for (const part of partsOf(target, chunk)) if (!target.write(part)) await drained(target)
    }
    if (length !== undefined && sent !== Number(length)) {
      open()
      return cut(target)
    }
    const trailers = wireOf(response)?.trailers?.() ?? []
    open(trailers.length === 0)
    sendTrailers(target, trailers)
    await end(target)
  } catch {
    open()
    if (length !== undefined && sent === Number(length)) await end(target)
    else if (!isClosed(target)) cut(target)
  }
}

/**
 * Whether an answer may be of gRPC's form "Trailers-Only": when it has no body, its head has to be its
 * end, or clients don't read the status in it. So its head waits for the body.
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
 */
function isGrpcStatus(target: ServerResponse, headers: HeaderPairs): boolean {
  return streamOf(target) !== undefined && headers.some(([name]) => name === 'grpc-status')
}

/** Of the connection, which HTTP/2 shares. RFC 9113, 8.2.2. */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

/** `isEnd` for an answer of which nothing follows: HTTP/2 says so with the head itself. */
function writeHead(
  target: ServerResponse,
  status: number,
  phrase: string,
  headers: HeaderPairs,
  isEnd: boolean,
): void {
  // Without a phrase of its own, Node's is taken.
  if (streamOf(target) === undefined)
    return void target.writeHead(status, phrase || undefined, headers.flat())
  const values = new Map<string, string[]>()
  for (const [name, value] of headers)
    if (!OF_CONNECTION.has(name)) values.set(name, [...(values.get(name) ?? []), value])
  for (const [name, all] of values) {
    // Some may not be repeated: Node refuses more than one there.
    const [first = ''] = all
    target.setHeader(name, all.length === 1 || SINGLE.has(name) ? first : all)
  }
  if (isEnd) target.statusCode = status
  else target.writeHead(status)
}

/** What HTTP/2 of Node sends once only, of what a handler may repeat. */
const SINGLE: ReadonlySet<string> = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-request-method',
  'age',
  'authorization',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'dnt',
  'etag',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'range',
  'referer',
  'retry-after',
  'tk',
  'upgrade-insecure-requests',
  'user-agent',
  'x-content-type-options',
])

/** Bytes that are given to an HTTP/2 stream at a time, so that it shows whether its client takes them. */
const STREAM_PART = 16 * 1024

function* partsOf(target: ServerResponse, chunk: Uint8Array): Generator<Uint8Array> {
  if (streamOf(target) === undefined) return yield chunk
  for (let at = 0; at < chunk.length; at += STREAM_PART) yield chunk.subarray(at, at + STREAM_PART)
}

function drained(target: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      target.off('drain', done).off('close', done)
      resolve()
    }
    if (isClosed(target)) resolve()
    else target.on('drain', done).on('close', done)
  })
}

/** Only to who says that it takes them: others may take them for a next answer. */
function sendTrailers(target: ServerResponse, trailers: HeaderPairs): void {
  const isTaken =
    streamOf(target) !== undefined ||
    /(?:^|,)[\t ]*trailers[\t ]*(?:,|;|$)/i.test(String(target.req.headers.te ?? ''))
  if (trailers.length === 0 || !isTaken) return
  if (streamOf(target) === undefined)
    target.addTrailers(trailers.map(([name, value]): [string, string] => [name, value]))
  else target.addTrailers(Object.fromEntries(trailers))
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
  const stream = streamOf(target)
  if (stream !== undefined) {
    target.flushHeaders()
    // A reset would take with it what is still to be sent.
    const reset = (): void => resetStream(stream, constants.NGHTTP2_INTERNAL_ERROR)
    return void stream.write('', () => setImmediate(reset))
  }
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
