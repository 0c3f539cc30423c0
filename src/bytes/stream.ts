import { type Remedy, SpindleError } from '../errors.ts'
import type { BodySource } from '../types.ts'
import { whenAborted } from './abort.ts'

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

/** The part of a stream's reader that is used here; any other source of chunks may offer the same. */
export interface ChunkReader {
  read(): Promise<
    | { readonly done: false; readonly value: Uint8Array }
    | { readonly done: true; readonly value?: Uint8Array | undefined }
  >
  /** Also answers a read that is waiting. */
  cancel(reason?: unknown): Promise<void>
}

/** What can be read chunk by chunk. */
export type Readable = ReadableStream<Uint8Array> | ChunkReader

/** Opens a source when its first byte is asked for. */
export type Opener = () => Readable | Promise<Readable>

/** Observes a stream that is passed on. */
export interface Watcher {
  /** Called before the source is opened or read for the first time. */
  start?(): void
  /** Called with each chunk before it is passed on; throwing breaks the stream. */
  chunk?(bytes: Uint8Array): void | Promise<void>
  /** Called after the last chunk, before the stream closes; throwing breaks it. */
  end?(): void | Promise<void>
  /** Called with the error that broke the stream, whether the source's or this watcher's own. */
  readonly failure?: ((error: unknown) => void) | undefined
}

/**
 * Passes a source on chunk by chunk as it is read; it is opened at the first read. Each stream in a
 * chain costs a tenth of a download (measured): watch everything in one.
 */
export function watchStream(
  source: Readable | Opener,
  { start, chunk, end, failure }: Watcher,
): ReadableStream<Uint8Array> {
  let opened: ChunkReader | undefined
  let isCancelled = false
  const read = async (): ReturnType<ChunkReader['read']> => {
    if (opened === undefined) {
      start?.()
      const readable = typeof source === 'function' ? await source() : source
      opened = isStream(readable) ? readable.getReader() : readable
    }
    // Cancelled while it was opened: nobody else knows of it.
    if (isCancelled) await opened.cancel()
    const next = await opened.read()
    const seen = next.done ? end?.() : chunk?.(next.value)
    if (seen !== undefined) await seen
    return next
  }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await read().catch((error: unknown) => {
          failure?.(error)
          void opened?.cancel(error).catch(() => {})
          throw error
        })
        if (done) controller.close()
        else controller.enqueue(value)
      },
      async cancel(reason) {
        isCancelled = true
        // A source that was given open holds what it comes from, read or not.
        await (opened ?? (typeof source === 'function' ? undefined : source))?.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
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
  const reader: ChunkReader = isStream(source) ? source.getReader() : source
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

/** What to do about content that does not match its descriptor. */
export const CORRUPTED =
  'it is wrong at the source or was corrupted in transit; try again, or use another source'

/** @param advice The cause and the next step. Default: for content that was received. */
export function wrongSize(
  what: string,
  expected: number,
  actual: number | string,
  advice: string = CORRUPTED,
): SpindleError {
  return new SpindleError(
    'ERR_DIGEST_MISMATCH',
    `${what} has ${actual} bytes instead of ${expected}: ${advice}`,
  )
}

/** Counts the bytes of a body against its expected size. */
export interface SizeCheck {
  /** Adds a chunk's bytes. Throws as soon as there are more than expected. */
  add(length: number): void
  /** Throws when there are fewer than expected. */
  end(): void
}

/**
 * Checks the size of a body while it is read; see `wrongSize` for `what` and `advice`.
 * @param expected In bytes; `undefined` accepts any size.
 */
export function createSizeCheck(
  what: string,
  expected: number | undefined,
  advice?: string,
): SizeCheck {
  let seen = 0
  return {
    add(length) {
      seen += length
      if (expected !== undefined && seen > expected)
        throw wrongSize(what, expected, `more than ${expected}`, advice)
    },
    end() {
      if (expected !== undefined && seen !== expected) throw wrongSize(what, expected, seen, advice)
    },
  }
}

/**
 * A generator's chunks as a stream, made only as fast as they are read. Cancelling ends the
 * generator, so that its `finally` blocks run.
 */
export function streamFrom(chunks: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next()
        if (done === true) controller.close()
        else controller.enqueue(value)
      },
      async cancel() {
        await chunks.return(undefined)
      },
    },
    { highWaterMark: 0 },
  )
}

/** The same bytes in pieces of at most `size`, without copying. */
export function* piecesOf(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
