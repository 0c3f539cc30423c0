import { pipeline, Readable, type Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { type ChunkReader, chunksOf } from '../../bytes/stream.ts'
import { SpindleError } from '../../errors.ts'
import { codingError } from '../../http/content-coding.ts'
import { codeOf } from '../files/system-error.ts'

/** As many as curl takes: each multiplies what a few bytes can unpack to. */
const MAX_CODINGS = 5

type Bytes = AsyncIterable<Uint8Array>

/**
 * Removes content codings from a body while it is read, a few KiB at a time: the reader limits what it
 * unpacks to. A coding that can't be removed is an error of the body, so that its response still counts.
 *
 * @param codings In the order in which they were applied.
 * @param what Of the body, for messages.
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#name-content-codings RFC 9110, 8.4.1}
 */
export function decodeBody(
  source: ChunkReader,
  codings: readonly string[],
  what: string,
): ChunkReader {
  let broken: { readonly error: unknown } | undefined
  let isLeft = false
  let hasBegun = false
  const received = chunksOf({
    async read() {
      try {
        return await source.read()
      } catch (error) {
        broken = { error }
        throw error
      }
    },
    cancel: (reason?: unknown) => source.cancel(reason),
  })
  const decoded = decode(received, codings, what)
  return {
    async read() {
      try {
        const next = await decoded.next()
        if (next.done === true || isLeft) return { done: true, value: undefined }
        hasBegun = true
        // Decoders cut several pieces out of one array, and the reader may detach what it gets.
        return { done: false, value: new Uint8Array(next.value) }
      } catch (cause) {
        if (isLeft) return { done: true, value: undefined }
        if (broken !== undefined) throw broken.error
        if (!hasBegun && isMalformed(cause))
          throw new SpindleError(
            'ERR_CONTENT_INVALID',
            `${what} is not in the content coding ${codings.map((name) => JSON.stringify(name)).join(', ')} that its server names: have the server, or the proxy before it, send it without`,
            { cause },
          )
        throw cause instanceof SpindleError ? cause : new TypeError('terminated', { cause })
      }
    },
    async cancel(reason) {
      isLeft = true
      // This also ends a read that waits, which the decoders would wait for.
      await source.cancel(reason)
      void decoded.return(undefined).catch(() => {})
    },
  }
}

/** Whether a decoder found malformed data. Data that ends early is a broken transfer instead. */
function isMalformed(error: unknown): boolean {
  return /^(?:Z_DATA_ERROR|ERR_.*FORMAT|ERR_PADDING|ZSTD_error)/.test(String(codeOf(error)))
}

async function* decode(
  source: Bytes,
  codings: readonly string[],
  what: string,
): AsyncGenerator<Uint8Array, undefined> {
  if (codings.length > MAX_CODINGS)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `${what} came in ${codings.length} content codings, which is more than ${MAX_CODINGS}`,
    )
  let bytes = source
  for (const coding of codings.toReversed()) bytes = removeCoding(bytes, coding, what)
  yield* bytes
  return undefined
}

async function* removeCoding(
  source: Bytes,
  coding: string,
  what: string,
): AsyncGenerator<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]()
  let first = await chunks.next()
  while (first.done !== true && first.value.length === 0) first = await chunks.next()
  // An empty body needs no decoder, which would expect a header.
  if (first.done === true) return
  const decoder = createDecoder(coding, first.value)
  if (decoder === undefined) throw codingError(coding, what)
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield first.value as Uint8Array
    yield* { [Symbol.asyncIterator]: () => chunks }
  }
  yield* pipeline(Readable.from(whole()), decoder, () => {}) as AsyncIterable<Uint8Array>
}

function createDecoder(coding: string, start: Uint8Array): Transform | undefined {
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return zlib.createGunzip()
    case 'deflate':
      // Some servers leave out the zlib header. Only with it is the lowest digit an 8.
      return ((start[0] as number) & 0x0f) === 8 ? zlib.createInflate() : zlib.createInflateRaw()
    case 'br':
      return zlib.createBrotliDecompress()
    case 'zstd':
      // Since Node 22.15.
      return (zlib as { createZstdDecompress?: () => Transform }).createZstdDecompress?.()
    default:
      return undefined
  }
}
