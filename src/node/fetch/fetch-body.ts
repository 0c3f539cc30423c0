import type { Writable } from 'node:stream'
import { type ChunkReader, createCollector, openStream, sizeOf } from '../../bytes/stream.ts'
import { inTime } from '../../bytes/abort.ts'
import type { OutgoingRequest } from '../../http/sender.ts'
import type { HeaderPairs } from '../../http/wire.ts'
import type { BodySource } from '../../types.ts'

/** Streams up to this size are read before they are sent: their length is known then, and they can be sent again. */
const WHOLE_BYTES = 256 * 1024

/** A body as it comes. */
export interface StreamedBody {
  readonly rest: ChunkReader
  /** Bytes that were announced, if they were. */
  readonly size: number | undefined
  /** Called at the end. Sent only with a body of no announced size: in chunks. */
  readonly trailers?: (() => HeaderPairs | undefined) | undefined
}

/** A request's body: buffered, or as it comes. */
export type OutgoingBody = { readonly bytes: Uint8Array; readonly size: number } | StreamedBody

/** Reads ahead what is small. Rejects as the request would whose source gives nothing: by its signal or deadline. */
export async function takeBody(body: BodySource, request: OutgoingRequest): Promise<OutgoingBody> {
  const announced = request.headers.get('content-length')
  const size = announced === null ? undefined : Number(announced)
  if (size !== undefined && !(Number.isSafeInteger(size) && size >= 0))
    throw new TypeError(`the content-length ${announced} is no number of bytes`)
  if (body instanceof Uint8Array) return whole(body, size)
  const rest = openStream(body).getReader()
  try {
    return await inTime(request, () => readAhead(rest, size, size ?? sizeOf(body)))
  } catch (error) {
    void rest.cancel(error).catch(() => {})
    throw error
  }
}

async function readAhead(
  rest: ReadableStreamDefaultReader<Uint8Array>,
  announced: number | undefined,
  size: number | undefined,
): Promise<OutgoingBody> {
  const begun = createCollector()
  while (begun.size <= WHOLE_BYTES && (announced === undefined || announced <= WHOLE_BYTES)) {
    const { done, value } = await rest.read()
    if (done) return whole(begun.take(), announced)
    begun.add(value)
  }
  const value = begun.take()
  return { rest: withFirst(Promise.resolve({ done: false, value }), rest), size }
}

function whole(bytes: Uint8Array, announced: number | undefined): OutgoingBody {
  if (announced !== undefined && announced !== bytes.length) throw mismatch(announced, bytes.length)
  return { bytes, size: bytes.length }
}

/** A reader whose first chunk was read before, or is on its way. */
export function withFirst(first: ReturnType<ChunkReader['read']>, rest: ChunkReader): ChunkReader {
  let early: typeof first | undefined = first
  return {
    read() {
      const next = early ?? rest.read()
      early = undefined
      return next
    },
    cancel: (reason) => rest.cancel(reason),
  }
}

/** What the two directions of a request know of each other. */
export interface Exchange {
  /** The server waits for us: a slow reader or source is not taken for a dead server. */
  isOurTurn: boolean
  /** Why we ended the request; Node reports only that it was ended. */
  failure?: Error
}

/**
 * Writes a stream as fast as it is taken, then its trailers where the request can have any, and
 * cancels it when the request ends. Rejects with what breaks it, which must break the request.
 */
export async function writeBody(
  sent: Writable & { addTrailers?(trailers: ReadonlyArray<[string, string]>): void },
  { rest, size, trailers }: StreamedBody,
  exchange: Exchange,
): Promise<void> {
  let length = 0
  let wake = (): void => {}
  sent.on('drain', () => wake())
  sent.once('close', () => {
    void rest.cancel().catch(() => {})
    wake()
  })
  const send = async (bytes: Uint8Array): Promise<void> => {
    length += bytes.length
    // More would be read as the next request of this connection.
    if (size !== undefined && length > size) throw mismatch(size, `more than ${size}`)
    if (sent.write(bytes) || sent.destroyed) return
    await new Promise<void>((resolve) => (wake = resolve))
  }
  for (;;) {
    exchange.isOurTurn = true
    const { done, value } = await rest.read()
    exchange.isOurTurn = false
    if (sent.destroyed) return
    if (done) break
    await send(value)
  }
  if (size !== undefined && length < size) throw mismatch(size, length)
  const pairs = size === undefined ? trailers?.() : undefined
  if (pairs !== undefined && pairs.length > 0)
    sent.addTrailers?.(pairs.map(([name, value]): [string, string] => [name, value]))
  sent.end()
}

function mismatch(size: number, actual: number | string): Error {
  return lengthError(`a body of ${size} bytes was announced, but ${actual} are to be sent`)
}

export function lengthError(message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_HTTP_CONTENT_LENGTH_MISMATCH' })
}
