import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import {
  constants,
  createServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'
import { LINGER } from './refused-body.ts'
import { MAX_HEADERS } from './request-check.ts'

/** Requests at once on one connection. As RFC 9113 advises at least, and as nginx and hyper nearly have it. */
export const MAX_STREAMS = 100

/** Requests that a client may call off before they are answered, in {@link RESET_WINDOW}: each began work. */
export const MAX_RESETS = 200
/** Milliseconds. */
const RESET_WINDOW = 30_000

/** Frames that break the protocol until a connection is ended. */
const MAX_INVALID_FRAMES = 100
/** Streams above {@link MAX_STREAMS} that are refused until a connection is ended. */
const MAX_REJECTED_STREAMS = 100
/** MB that one connection may hold. Node's own. */
const MAX_SESSION_MEMORY = 10

/** The connection preface of HTTP/2. RFC 9113, 3.4. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

interface Http2Options {
  /** Bytes of a request's headers. */
  readonly maxHeaderSize: number
  /** Milliseconds that a connection may be without a request; 0 for any. */
  readonly idleTimeout: number
}

/** HTTP/2 on connections that another server has accepted. */
export interface Http2Connections {
  take(socket: Socket): void
  /** Ends connections once their requests are answered. */
  close(): void
}

/** The stream of an HTTP/2 request or answer; `undefined` for HTTP/1. */
export function streamOf(message: IncomingMessage | ServerResponse): ServerHttp2Stream | undefined {
  return (message as unknown as { readonly stream?: ServerHttp2Stream }).stream
}

/** What was reset here, and not by its client. */
const ended = new WeakSet<ServerHttp2Stream>()

/** Ends a stream at once. */
export function resetStream(stream: ServerHttp2Stream, code: number): void {
  ended.add(stream)
  stream.close(code)
}

/** Reads on for a while what nobody wants, as clients take a reset for a failure. */
function discardRest(stream: ServerHttp2Stream): void {
  stream.removeAllListeners('data')
  stream.resume()
  const timer = setTimeout(() => resetStream(stream, constants.NGHTTP2_CANCEL), LINGER)
  stream.once('close', () => clearTimeout(timer))
}

/** Whether all of a request's body has come. Of HTTP/2, Node says so only once it is read. */
export function isComplete(request: IncomingMessage): boolean {
  const stream = streamOf(request)
  if (stream === undefined) return request.complete
  return stream.destroyed || stream.endAfterHeaders || stream.state.remoteClose === 1
}

/** Whether nothing more can be sent of an answer. */
export function isClosed(response: ServerResponse): boolean {
  const stream = streamOf(response)
  return stream === undefined ? response.closed : stream.destroyed || stream.closed
}

/**
 * Answers HTTP/2. The listener gets requests and responses as those of HTTP/1.
 *
 * A connection without a request is ended after a while, whatever else comes on it: a head that never
 * ends is no request.
 */
export function createHttp2Connections(
  onRequest: RequestListener,
  { maxHeaderSize, idleTimeout }: Http2Options,
): Http2Connections {
  const sessions = new Set<ServerHttp2Session>()
  const server: Http2Server = createServer(
    {
      maxHeaderListPairs: MAX_HEADERS,
      maxSessionInvalidFrames: MAX_INVALID_FRAMES,
      maxSessionRejectedStreams: MAX_REJECTED_STREAMS,
      maxSessionMemory: MAX_SESSION_MEMORY,
      settings: {
        maxConcurrentStreams: MAX_STREAMS,
        maxHeaderListSize: maxHeaderSize,
        enablePush: false,
      },
    },
    (request: Http2ServerRequest, response: Http2ServerResponse) => {
      // A stream that its client resets is no error of ours.
      request.on('error', () => {})
      response.on('error', () => {})
      const { stream } = response
      stream.once('finish', () => {
        if (!isComplete(request as unknown as IncomingMessage)) discardRest(stream)
      })
      onRequest(
        request as unknown as IncomingMessage,
        response as unknown as ServerResponse<IncomingMessage>,
      )
    },
  )
  server.on('session', (session) => {
    sessions.add(session)
    session.on('error', () => {})
    session.once('close', () => sessions.delete(session))
    const end = (): void => session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM)
    let open = 0
    let timer: ReturnType<typeof setTimeout> | undefined
    const wait = (): void => {
      if (idleTimeout > 0) timer = setTimeout(() => session.destroy(), idleTimeout)
    }
    session.once('close', () => clearTimeout(timer))
    wait()
    let resets = 0
    let since = Date.now()
    session.on('stream', (stream) => {
      open++
      clearTimeout(timer)
      // A connection that lives on its streams, and not on bytes that mean nothing.
      stream.once('close', () => {
        if (--open === 0 && !session.destroyed) wait()
        if (stream.rstCode === constants.NGHTTP2_NO_ERROR || ended.has(stream)) return
        const now = Date.now()
        if (now - since > RESET_WINDOW) [resets, since] = [0, now]
        if (++resets > MAX_RESETS) end()
      })
    })
  })
  return {
    take(socket) {
      // A client of HTTP/1 may send no more and wait; here nobody would end the connection.
      socket.allowHalfOpen = false
      server.emit('connection', socket)
    },
    close() {
      for (const session of sessions) session.close()
    },
  }
}

/**
 * Finds out by its first bytes whether a client speaks HTTP/2, and leaves them where they were.
 *
 * @param timeout Milliseconds for them; 0 for any.
 */
export function readPreface(
  socket: Socket,
  timeout: number,
  { isHttp2, isOther, late }: Readonly<Record<'isHttp2' | 'isOther' | 'late', () => void>>,
): void {
  let begun = Buffer.alloc(0)
  const timer = timeout > 0 ? setTimeout(late, timeout) : undefined
  const stop = (): void => {
    clearTimeout(timer)
    socket.off('readable', look).off('close', stop).off('error', stop)
  }
  const look = (): void => {
    const chunk = socket.read() as Buffer | null
    if (chunk === null) return void (socket.readableEnded && socket.destroy())
    begun = Buffer.concat([begun, chunk])
    const length = Math.min(begun.length, PREFACE.length)
    const matches = begun.subarray(0, length).equals(PREFACE.subarray(0, length))
    if (matches && length < PREFACE.length) return
    stop()
    socket.unshift(begun)
    if (matches) isHttp2()
    else isOther()
  }
  socket.on('readable', look).on('close', stop).on('error', stop)
}
