import type { IncomingMessage } from 'node:http'

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

/** An answer whose headers have come. */
export function answerOf(
  message: IncomingMessage,
  method: string,
  signal: AbortSignal | undefined,
  exchange: Exchange,
): Response {
  const { rawHeaders, statusCode: status = 0, statusMessage: statusText = '' } = message
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
  return new Response(isEmpty ? null : bodyOf(message, size, signal, exchange), {
    status,
    headers,
    // What is no legal phrase would be an error, and says nothing.
    ...(/^[\t\x20-\x7e]+$/.test(statusText) && { statusText }),
  })
}

function bodyOf(
  message: IncomingMessage,
  size: number,
  signal: AbortSignal | undefined,
  exchange: Exchange,
): ReadableStream<Uint8Array> {
  let ended = false
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const end = (error?: unknown): void => {
          if (ended) return
          ended = true
          if (error === undefined) controller.close()
          else if (signal?.aborted === true) controller.error(signal.reason)
          else controller.error(new TypeError('terminated', { cause: exchange.failure ?? error }))
        }
        message.on('data', (chunk: Buffer) => {
          if (ended) return
          controller.enqueue(ownBytes(chunk))
          if ((controller.desiredSize ?? 0) > 0) return
          exchange.isOurTurn = true
          message.pause()
        })
        message.on('end', () => end())
        message.on('error', end)
        message.on('close', () => end(new Error('the connection was closed')))
      },
      pull() {
        if (!message.isPaused()) return
        exchange.isOurTurn = false
        message.resume()
      },
      cancel() {
        ended = true
        // A short rest is read faster than a new connection is made.
        if (size <= AHEAD_BYTES) message.resume()
        else message.destroy()
      },
    },
    { highWaterMark: AHEAD_BYTES, size: ({ length }) => length },
  )
}

/** Bytes that the reader may change or hand on: what shares its memory with others is copied. */
function ownBytes(chunk: Buffer): Uint8Array {
  const { buffer, byteOffset, byteLength } = chunk
  return byteLength === buffer.byteLength
    ? new Uint8Array(buffer)
    : new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength))
}
