import type { IncomingMessage } from 'node:http'
import { type ChunkReader, watchStream } from '../../bytes/stream.ts'
import { contentCodings } from '../../http/content-coding.ts'
import { redactUrl } from '../../http/redact.ts'
import { decodeBody } from './fetch-decode.ts'

/** What the two halves of a request know of each other. */
export interface Exchange {
  /** The server waits for us: a slow reader or source is not taken for a dead server. */
  isOurTurn: boolean
  /** What we ended it with; Node says only that it was ended. */
  failure?: Error
}

/** Received ahead of the reader. An answer that fits frees its connection even if nobody reads it. */
const AHEAD_BYTES = 64 * 1024

const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304])

/** An answer whose headers have come; its body's codings are removed. */
export function answerOf(
  message: IncomingMessage,
  method: string,
  url: URL,
  signal: AbortSignal | undefined,
  exchange: Exchange,
): Response {
  const { rawHeaders, statusCode: status = 0, statusMessage: statusText = '' } = message
  // Also what `Response` would refuse: by then it would be too late to say that there is no answer.
  if (status < 200 || status > 599) throw new RangeError(`${status} is no status of an answer`)
  const headers: [string, string][] = []
  let size = Infinity
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name, value] = [rawHeaders[at]!, rawHeaders[at + 1]!]
    headers.push([name, value])
    if (name.toLowerCase() === 'content-length') size = Number(value)
  }
  const isEmpty = method === 'HEAD' || WITHOUT_BODY.has(status) || size === 0
  // Read to its end all the same: only that frees the connection.
  if (isEmpty) message.resume()
  const codings = isEmpty ? [] : codingsOf(headers)
  const reader = isEmpty ? null : readerOf(message, size, signal, exchange)
  const body =
    reader && codings.length > 0
      ? decodeBody(reader, codings, `${method} ${redactUrl(url)}`)
      : reader
  return new Response(body && watchStream(body, {}), {
    status,
    // What is no legal phrase would be an error, and says nothing.
    statusText: /^[\t\x20-\x7e]*$/.test(statusText) ? statusText : '',
    headers,
  })
}

/** Most answers have none: for those, no `Headers` are made. */
function codingsOf(headers: [string, string][]): readonly string[] {
  const coded = headers.filter(([name]) => name.toLowerCase() === 'content-encoding')
  return coded.length === 0 ? [] : contentCodings({ headers: new Headers(coded) })
}

type Read = Awaited<ReturnType<ChunkReader['read']>>

export function readerOf(
  message: IncomingMessage,
  size: number,
  signal: AbortSignal | undefined,
  exchange: Exchange,
): ChunkReader {
  const ahead: Uint8Array[] = []
  let bytes = 0
  let ended: { readonly error?: unknown } | undefined
  let waiting: { resolve: (read: Read) => void; reject: (error: unknown) => void } | undefined

  const end = (error?: unknown): void => {
    if (ended !== undefined) return
    if (error === undefined) {
      ended = {}
      waiting?.resolve({ done: true, value: undefined })
      return
    }
    const isAborted = signal?.aborted === true
    // An abort is heard at once; of a transfer that broke, what has come may be of use.
    if (isAborted) ahead.length = 0
    ended = {
      error: isAborted
        ? signal.reason
        : new TypeError('terminated', { cause: exchange.failure ?? error }),
    }
    waiting?.reject(ended.error)
  }

  message.on('data', (chunk: Buffer) => {
    if (ended !== undefined) return
    const value = size === Infinity ? ownBytes(chunk) : bytesOf(chunk)
    if (waiting !== undefined) {
      waiting.resolve({ done: false, value })
      waiting = undefined
      return
    }
    ahead.push(value)
    bytes += value.length
    if (bytes < AHEAD_BYTES) return
    exchange.isOurTurn = true
    message.pause()
  })
  message.on('end', () => end())
  message.on('error', end)
  message.on('close', () => {
    // Mostly it has ended: an error that nobody sees costs as much as all else here.
    if (ended === undefined) end(new Error('the connection was closed'))
  })

  return {
    read() {
      const value = ahead.shift()
      if (value === undefined) {
        if (ended === undefined)
          return new Promise<Read>((resolve, reject) => (waiting = { resolve, reject }))
        return 'error' in ended
          ? Promise.reject(ended.error)
          : Promise.resolve({ done: true, value: undefined })
      }
      bytes -= value.length
      if (bytes < AHEAD_BYTES && message.isPaused()) {
        exchange.isOurTurn = false
        message.resume()
      }
      return Promise.resolve({ done: false, value })
    },
    async cancel() {
      ahead.length = 0
      if (ended !== undefined) return
      end()
      // A short rest is read faster than a new connection is made.
      if (size <= AHEAD_BYTES) message.resume()
      else message.destroy()
    },
  }
}

/** The bytes of one read of the connection, which nothing else looks at but what has been read of it already. */
function bytesOf({ buffer, byteOffset, byteLength }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/** Of a body in pieces, several come in one read: the reader may change them or hand them on, so they are copied. */
function ownBytes(chunk: Buffer): Uint8Array {
  const bytes = bytesOf(chunk)
  return bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
}
