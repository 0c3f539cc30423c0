import { SpindleError } from '../errors.ts'
import type { BodySource, Content, CreateHasher, Descriptor, Hasher } from '../types.ts'
import {
  algorithmOf,
  COLLECT_BYTES,
  createPortableHasher,
  digestOf,
  formatDigest,
} from './digest.ts'

export function isStream(value: unknown): value is ReadableStream<Uint8Array> {
  return typeof value === 'object' && value !== null && 'getReader' in value
}

/** Opens a body. A one-shot stream is handed on as it is. */
export function openStream(body: BodySource): ReadableStream<Uint8Array> {
  if (isStream(body)) return body
  return body instanceof Uint8Array ? streamOf(body) : body.stream()
}

/** Bytes as a stream of one chunk. */
export function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (bytes.length > 0) controller.enqueue(bytes)
      controller.close()
    },
  })
}

/** `undefined` for a one-shot stream. */
export function sizeOf(body: BodySource): number | undefined {
  if (body instanceof Uint8Array) return body.length
  return isStream(body) ? undefined : body.size
}

/** Walks a stream's chunks; leaving the loop early, or aborting, cancels the source. */
export async function* chunksOf(
  stream: ReadableStream<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader()
  const onAbort = (): void => void reader.cancel(signal?.reason).catch(() => {})
  signal?.addEventListener('abort', onAbort, { once: true })
  let ended = false
  try {
    for (;;) {
      signal?.throwIfAborted()
      const { done, value } = await reader.read()
      signal?.throwIfAborted()
      if (done) {
        ended = true
        return
      }
      yield value
    }
  } catch (error) {
    ended = true
    void reader.cancel(error).catch(() => {})
    throw error
  } finally {
    signal?.removeEventListener('abort', onAbort)
    if (!ended) void reader.cancel().catch(() => {})
  }
}

/**
 * All bytes of a body whose size isn't known, bounded.
 * @throws `ERR_LIMIT_EXCEEDED` as soon as it is longer than `limit` bytes; `what` names it there.
 */
export async function readBounded(
  body: BodySource,
  limit: number,
  what: string,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  if (body instanceof Uint8Array && body.length <= limit) return body as Uint8Array<ArrayBuffer>
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of chunksOf(openStream(body), signal)) {
    size += chunk.length
    if (size > limit)
      throw new SpindleError('ERR_LIMIT_EXCEEDED', `${what} is longer than ${limit} bytes`)
    chunks.push(chunk)
  }
  return concat(chunks, size)
}

export function concat(
  chunks: readonly Uint8Array[],
  size: number = chunks.reduce((sum, chunk) => sum + chunk.length, 0),
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

/** Reads content of a known size into one preallocated array: nearly twice as fast as `arrayBuffer()` (measured). */
export async function readExactly(
  body: BodySource,
  size: number,
  what: string,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  if (body instanceof Uint8Array) {
    if (body.length !== size) throw wrongSize(what, size, body.length)
    return body as Uint8Array<ArrayBuffer>
  }
  const bytes = new Uint8Array(size)
  let at = 0
  for await (const chunk of chunksOf(openStream(body), signal)) {
    if (at + chunk.length > size) throw wrongSize(what, size, `more than ${size}`)
    bytes.set(chunk, at)
    at += chunk.length
  }
  if (at !== size) throw wrongSize(what, size, at)
  return bytes
}

/** Streams that check what passes through, by what they were made of, as long as nobody has read them. */
const unread = new WeakMap<ReadableStream<Uint8Array>, Check>()

interface Check {
  readonly expected: Descriptor
  /** Gives up the check, and hands out what would have been checked. */
  readonly release: () => ReadableStream<Uint8Array>
}

function checkOf(body: BodySource, { digest, size }: Descriptor): Check | undefined {
  const check = isStream(body) && !body.locked ? unread.get(body) : undefined
  return check?.expected.digest === digest && check.expected.size === size ? check : undefined
}

/** The content under a check that nobody has read yet: for those who check the same themselves. */
export function withoutCheck<T extends BodySource>(
  body: T,
  expected: Descriptor,
): T | ReadableStream<Uint8Array> {
  return checkOf(body, expected)?.release() ?? body
}

/**
 * All bytes of a descriptor's content, checked against its size and digest.
 * @throws `ERR_DIGEST_MISMATCH` when they don't fit it.
 */
export async function readVerified(
  body: BodySource,
  expected: Descriptor,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  // Collected, WebCrypto hashes it in one go: to hash it on the way too would only cost time.
  const source = withoutCheck(body, expected)
  const bytes = await readExactly(source, expected.size, expected.digest, signal)
  const actual = await digestOf(bytes, algorithmOf(expected.digest))
  if (actual !== expected.digest) throw wrongDigest(expected, actual)
  return bytes
}

/**
 * Passes content through and errors at the end when it doesn't fit its descriptor, or as soon as
 * it is longer. Consumers must not act on the bytes before the stream closes.
 *
 * What checks the same already is handed on as it is.
 */
export function verifyStream(
  stream: ReadableStream<Uint8Array>,
  expected: Descriptor,
  createHasher: CreateHasher = createPortableHasher,
): ReadableStream<Uint8Array> {
  if (checkOf(stream, expected) !== undefined) return stream
  const algorithm = algorithmOf(expected.digest)
  let hasher: Hasher | undefined
  const reader = stream.getReader()
  let seen = 0
  const verified = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        unread.delete(verified)
        try {
          hasher ??= createHasher(algorithm)
          const { done, value } = await reader.read()
          if (!done) {
            seen += value.length
            if (seen > expected.size)
              throw wrongSize(expected.digest, expected.size, `more than ${expected.size}`)
            await hasher.update(value)
            controller.enqueue(value)
            return
          }
          if (seen !== expected.size) throw wrongSize(expected.digest, expected.size, seen)
          const actual = formatDigest(algorithm, await hasher.digest())
          if (actual !== expected.digest) throw wrongDigest(expected, actual)
          controller.close()
        } catch (error) {
          void reader.cancel(error).catch(() => {})
          controller.error(error)
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
  unread.set(verified, {
    expected,
    release() {
      // As good as read: nobody else may take it for whole.
      verified.getReader()
      reader.releaseLock()
      return stream
    },
  })
  return verified
}

function wrongSize(what: string, expected: number, actual: number | string): SpindleError {
  return new SpindleError(
    'ERR_DIGEST_MISMATCH',
    `${what} should have ${expected} bytes, but ${actual} came: the source lies or the transfer was cut; try again or another source`,
  )
}

function wrongDigest(expected: Descriptor, actual: string): SpindleError {
  return new SpindleError(
    'ERR_DIGEST_MISMATCH',
    `content of ${expected.digest} has the digest ${actual}: the source lies or the bytes were damaged on the way; try again or another source`,
  )
}

/** Digest and size of a body that can be opened again: WebCrypto when it is small, a streaming hasher when not. */
export async function describeContent(
  content: Uint8Array | Content,
  mediaType: string,
  options: { createHasher?: CreateHasher | undefined; signal?: AbortSignal | undefined } = {},
): Promise<Descriptor> {
  if (content instanceof Uint8Array) {
    return { mediaType, digest: await digestOf(content), size: content.length }
  }
  if (content.size <= COLLECT_BYTES) {
    const bytes = await readExactly(content, content.size, 'the file', options.signal)
    return { mediaType, digest: await digestOf(bytes), size: bytes.length }
  }
  const hasher = (options.createHasher ?? createPortableHasher)('sha256')
  let size = 0
  for await (const chunk of chunksOf(content.stream(), options.signal)) {
    size += chunk.length
    await hasher.update(chunk)
  }
  return { mediaType, digest: formatDigest('sha256', await hasher.digest()), size }
}
