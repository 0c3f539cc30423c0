import { type Remedy, SpindleError } from '../errors.ts'
import type { BodySource, ChunkReader, CreateHasher, Descriptor, Digest, Hasher } from '../types.ts'
import { whenAborted } from './abort.ts'
import { algorithmOf, createPortableHasher, digestBy, formatDigest } from './digest.ts'

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

type Readable = ReadableStream<Uint8Array> | ChunkReader

/** Opens what is read when its first byte is asked for. */
export type Opener = () => Readable | Promise<Readable>

/** What looks on while a stream is handed on. */
export interface Watcher {
  /** Each chunk before it is handed on; what this throws breaks the stream. */
  chunk?(bytes: Uint8Array): void | Promise<void>
  /** After the last chunk, before the end is told. */
  end?(): void | Promise<void>
  /** What broke it, wherever that was. */
  readonly failure?: ((error: unknown) => void) | undefined
}

/** What is known of a stream that `watchStream` made, as long as nobody has read it. */
interface Unread {
  /** What reads as it does, and answers at once when it is cancelled. */
  readonly reader: ChunkReader | undefined
  readonly check: Check | undefined
}

const unread = new WeakMap<ReadableStream<Uint8Array>, Unread>()

/**
 * Reads a stream, one of ours without the stream: its queue costs as much as to hash what goes
 * through it (measured).
 */
function readerOf(source: Readable): ChunkReader {
  if (!isStream(source)) return source
  // Locked in any case: nobody else may read it.
  const reader = source.getReader()
  return unread.get(source)?.reader ?? reader
}

/**
 * A stream handed on chunk by chunk as it is read, opened when that begins. One of these for all
 * that there is to look at: each stream more costs a tenth of a download (measured).
 */
export function watchStream(
  source: Readable | Opener,
  { chunk, end, failure }: Watcher,
  check?: Check,
): ReadableStream<Uint8Array> {
  let opened: ChunkReader | undefined
  let isLeft = false
  const reader: ChunkReader = {
    async read() {
      try {
        opened ??= readerOf(typeof source === 'function' ? await source() : source)
        // Left while it was opened: nobody else knows of it.
        if (isLeft) await opened.cancel()
        const next = await opened.read()
        const seen = next.done ? end?.() : chunk?.(next.value)
        if (seen !== undefined) await seen
        return next
      } catch (error) {
        failure?.(error)
        void opened?.cancel(error).catch(() => {})
        throw error
      }
    },
    async cancel(reason) {
      isLeft = true
      // Given open, it holds what it comes from.
      await (opened ?? (typeof source === 'function' ? undefined : source))?.cancel(reason)
    },
  }
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        unread.delete(stream)
        const { done, value } = await reader.read()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
  unread.set(stream, { reader: typeof source === 'function' ? undefined : reader, check })
  return stream
}

/** `undefined` for a one-shot stream. */
export function sizeOf(body: BodySource): number | undefined {
  if (body instanceof Uint8Array) return body.length
  return isStream(body) ? undefined : body.size
}

/** Walks a stream's chunks; leaving the loop early, or aborting, cancels the source. */
export async function* chunksOf(
  source: Readable,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const reader = readerOf(source)
  const stopWaiting = whenAborted(signal, () => void reader.cancel(signal?.reason).catch(() => {}))
  let failure: unknown
  try {
    for (;;) {
      signal?.throwIfAborted()
      const { done, value } = await reader.read()
      signal?.throwIfAborted()
      if (done) return
      yield value
    }
  } catch (error) {
    // What is cancelled may end as if it were cut off.
    failure = signal?.aborted ? signal.reason : error
    throw failure
  } finally {
    stopWaiting()
    void reader.cancel(failure).catch(() => {})
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
  remedy?: Remedy,
): Promise<Uint8Array<ArrayBuffer>> {
  if (body instanceof Uint8Array && body.length <= limit) return body as Uint8Array<ArrayBuffer>
  const collector = createCollector()
  for await (const chunk of chunksOf(openStream(body), signal)) {
    collector.add(chunk)
    if (collector.size > limit)
      throw new SpindleError(
        'ERR_LIMIT_EXCEEDED',
        `${what} is longer than ${limit} bytes`,
        remedy && { remedy },
      )
  }
  return collector.take()
}

/** Chunks that are joined at a time. */
const JOINED = 256

/** Bytes that come in chunks and are needed as one array. */
interface Collector {
  /** Bytes so far. */
  readonly size: number
  add(chunk: Uint8Array): void
  /** All bytes; the collector is empty afterwards. */
  take(): Uint8Array<ArrayBuffer>
}

/**
 * Joins chunks as they come: whoever sends decides how small they are, and an array for each single
 * byte takes more than two hundred.
 */
export function createCollector(): Collector {
  let joined: Uint8Array[] = []
  let recent: Uint8Array[] = []
  let size = 0
  return {
    get size() {
      return size
    },
    add(chunk) {
      if (chunk.length === 0) return
      size += chunk.length
      recent.push(chunk)
      if (recent.length < JOINED) return
      joined.push(concat(recent))
      recent = []
    },
    take() {
      const bytes = concat([...joined, ...recent], size)
      joined = []
      recent = []
      size = 0
      return bytes
    },
  }
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

/** What checks what passes through a stream. */
interface Check {
  readonly expected: Descriptor
  /** Gives up the check, and hands out what would have been checked. */
  readonly release: () => ReadableStream<Uint8Array>
}

function checkOf(body: unknown, { digest, size }: Descriptor): Check | undefined {
  const check = isStream(body) && !body.locked ? unread.get(body)?.check : undefined
  return check?.expected.digest === digest && check.expected.size === size ? check : undefined
}

/** The content under a check that nobody has read yet: for those who check the same themselves. */
function withoutCheck<T extends BodySource | ChunkReader>(
  body: T,
  expected: Descriptor,
): T | ReadableStream<Uint8Array> {
  return checkOf(body, expected)?.release() ?? body
}

/** From this size on, hashing on the way is faster than hashing what is collected. */
const HASHED_ON_THE_WAY = 1024 * 1024

/**
 * All bytes of a descriptor's content, checked against its size and digest.
 * @param createHasher See `digestBy`.
 * @throws `ERR_DIGEST_MISMATCH` when they don't fit it.
 */
export async function readVerified(
  body: BodySource,
  expected: Descriptor,
  signal?: AbortSignal,
  createHasher?: CreateHasher,
): Promise<Uint8Array<ArrayBuffer>> {
  const { digest, size } = expected
  // To hash on the way what is hashed whole would only cost time.
  const source = body instanceof Uint8Array ? body : withoutCheck(openStream(body), expected)
  if (isStream(source) && createHasher !== undefined && size >= HASHED_ON_THE_WAY)
    return readExactly(verifyStream(source, expected, createHasher), size, digest, signal)
  const bytes = await readExactly(source, size, digest, signal)
  const actual = await digestBy(createHasher, bytes, algorithmOf(digest))
  if (actual !== digest) throw wrongDigest(digest, actual)
  return bytes
}

/**
 * Passes content through and errors at the end when it doesn't fit its descriptor, or as soon as
 * it is longer. Consumers must not act on the bytes before the stream closes.
 *
 * What checks the same already is handed on as it is.
 * @param source A stream, what reads as one, or what opens one when it is first read.
 * @param failure Told what broke it, wherever that was.
 */
export function verifyStream(
  source: Readable | Opener,
  expected: Descriptor,
  createHasher: CreateHasher = createPortableHasher,
  failure?: (error: unknown) => void,
): ReadableStream<Uint8Array> {
  if (isStream(source) && checkOf(source, expected) !== undefined) return source
  const { digest, size } = expected
  const algorithm = algorithmOf(digest)
  const unchecked =
    typeof source === 'function' ? async () => withoutCheck(await source(), expected) : source
  let hasher: Hasher | undefined
  let seen = 0
  const watcher: Watcher = {
    failure,
    chunk(bytes) {
      seen += bytes.length
      if (seen > size) throw wrongSize(digest, size, `more than ${size}`)
      hasher ??= createHasher(algorithm)
      return hasher.update(bytes)
    },
    async end() {
      if (seen !== size) throw wrongSize(digest, size, seen)
      hasher ??= createHasher(algorithm)
      const actual = formatDigest(algorithm, await hasher.digest())
      if (actual !== digest) throw wrongDigest(digest, actual)
    },
  }
  const verified = watchStream(unchecked, watcher, {
    expected,
    release() {
      // As good as read: nobody else may take it for whole.
      verified.getReader()
      return isStream(unchecked) ? unchecked : watchStream(unchecked, { failure })
    },
  })
  return verified
}

function wrongSize(what: string, expected: number, actual: number | string): SpindleError {
  return new SpindleError(
    'ERR_DIGEST_MISMATCH',
    `${what} should have ${expected} bytes, but ${actual} came: the source lies or it was damaged on the way; try again or another source`,
  )
}

export function wrongDigest(what: string, actual: Digest): SpindleError {
  return new SpindleError(
    'ERR_DIGEST_MISMATCH',
    `content of ${what} has the digest ${actual}: the source lies or it was damaged on the way; try again or another source`,
  )
}
