import { type ClientHttp2Stream, connect, constants, type IncomingHttpHeaders } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { SendRequest } from './exchange.ts'
import { type Exchange, writeBody } from './fetch-body.ts'

/** Streams at once until the server's settings have arrived; further ones wait in the session. */
const MAX_STREAMS = 100
/** Flow-control windows. The default of 64 KiB limits a connection to 1.6 MB/s at 40 ms. */
const STREAM_WINDOW: number = 4 * 1024 * 1024
const CONNECTION_WINDOW: number = 16 * 1024 * 1024

export interface Http2Options {
  /** Maximum bytes of a response's headers. */
  readonly maxHeaderSize: number
  /** Milliseconds without a byte after which a stream is given up; 0 for no limit. */
  readonly idleTimeout: number
  /** Milliseconds that a session without streams is kept. */
  readonly keptOpen: number
}

export interface Http2Session {
  readonly send: SendRequest
  /** Whether new streams may be opened: not after a GOAWAY, nor once it is closed. */
  isOpen(): boolean
}

/**
 * Creates an HTTP/2 session over a connection. Without streams it does not keep the process alive. A
 * GOAWAY lets the streams finish that the server has accepted.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113 RFC 9113}
 */
export function createHttp2Session(
  origin: string,
  socket: TLSSocket,
  options: Http2Options,
): Http2Session {
  const session = connect(origin, {
    createConnection: () => socket,
    peerMaxConcurrentStreams: MAX_STREAMS,
    settings: {
      enablePush: false,
      initialWindowSize: STREAM_WINDOW,
      maxHeaderListSize: options.maxHeaderSize,
    },
  })
  let streams = 0
  let isGoingAway = false
  let failure: Error | undefined
  session.once('connect', () => session.setLocalWindowSize(CONNECTION_WINDOW))
  session.once('goaway', () => (isGoingAway = true))
  session.on('error', (error) => (failure = error))
  session.setTimeout(options.keptOpen, () => {
    if (streams === 0) session.close()
  })
  session.unref()

  const opened = (): void => {
    if (streams++ === 0) session.ref()
  }
  const closed = (): void => {
    if (--streams > 0) return
    session.unref()
    // Restarts the time for which it is kept.
    session.setTimeout(options.keptOpen)
  }

  const send: SendRequest = ({ url, method, headers, body }, events) => {
    const state: Exchange = { isOurTurn: false }
    const fail = (error: Error): void => events.onError(state.failure ?? failure ?? error)
    let stream: ClientHttp2Stream
    try {
      stream = session.request(
        {
          ...headers,
          ':method': method,
          ':scheme': 'https',
          ':authority': url.host,
          ':path': url.pathname + url.search,
        },
        { endStream: body === undefined },
      )
    } catch (error) {
      // The session has closed since it was selected.
      queueMicrotask(() => fail(error as Error))
      return { abort() {}, pause() {}, resume() {} }
    }
    opened()
    const onTimeout = (): void => {
      if (state.isOurTurn) return void stream.setTimeout(options.idleTimeout, onTimeout)
      state.failure = Object.assign(new Error('no data arrived in time'), { code: 'ETIMEDOUT' })
      stream.close(constants.NGHTTP2_CANCEL)
    }
    stream.setTimeout(options.idleTimeout, onTimeout)
    let isSettled = false
    const broken = (): Error =>
      Object.assign(new Error(`the server ended the stream (HTTP/2 error ${stream.rstCode})`), {
        code: 'ECONNRESET',
      })
    stream.on('response', (received) => {
      const announced = received['content-length']
      let missing = method === 'HEAD' || announced === undefined ? 0 : Number(announced)
      events.onHeaders(Number(received[':status']), '', pairsOf(received))
      stream.on('data', (chunk: Buffer) => {
        missing -= chunk.length
        events.onData(chunk)
      })
      // Node ends a stream in the same way when the connection is lost or the stream is cancelled.
      stream.on('end', () => {
        isSettled = true
        if (session.destroyed || stream.rstCode !== 0 || missing > 0) fail(broken())
        else events.onEnd()
        // The server has refused the request before all of it was sent.
        if (!stream.writableEnded) stream.close(constants.NGHTTP2_CANCEL)
      })
    })
    stream.on('error', (error) => {
      isSettled = true
      fail(error)
    })
    stream.on('close', () => {
      closed()
      if (!isSettled) fail(broken())
    })
    if (body !== undefined) {
      if ('bytes' in body) stream.end(body.bytes)
      else
        void writeBody(stream, body, state).catch((error: Error) => {
          state.failure = error
          stream.close(constants.NGHTTP2_CANCEL)
        })
    }
    return {
      abort(error) {
        state.failure ??= error as Error
        stream.close(constants.NGHTTP2_CANCEL)
      },
      pause() {
        state.isOurTurn = true
        stream.pause()
      },
      resume() {
        state.isOurTurn = false
        stream.resume()
      },
    }
  }
  return { send, isOpen: () => !isGoingAway && !session.closed && !session.destroyed }
}

function pairsOf(headers: IncomingHttpHeaders): Array<readonly [string, string]> {
  const pairs: Array<readonly [string, string]> = []
  for (const [name, value] of Object.entries(headers))
    if (!name.startsWith(':') && value !== undefined)
      for (const single of [value].flat()) pairs.push([name, single])
  return pairs
}
