import { sizeOf } from '../../bytes/stream.ts'
import { SpindleError } from '../../errors.ts'
import {
  cancelBody,
  assertStorageKey,
  LIST_LIMIT,
  type PutResult,
  type Storage,
  type StoredHead,
} from './port.ts'
import { checkPrefix, PART_BYTES, readPieces, startingWith } from './pieces.ts'
import type { Pieces } from './pieces.ts'

/** Most bytes of one `put`, the only conditional write of R2. */
const MAX_SINGLE_BYTES = 4.9 * 1024 ** 3

/** Prefix of temporary objects. After a crash they stay: remove them with a life-cycle rule of R2. */
const STAGED = '~staged/'

const { FixedLengthStream } = globalThis as {
  FixedLengthStream?: new (length: number) => {
    readonly readable: ReadableStream<Uint8Array>
    readonly writable: WritableStream<Uint8Array>
  }
}

/** Condition of a write, as `R2Conditional` of `@cloudflare/workers-types`. */
export interface R2Condition {
  /** Write only if the object has this etag. */
  etagMatches?: string
  /** Write only if the object does not have this etag; `*`: only if it does not exist. */
  etagDoesNotMatch?: string
}

/** Metadata of an object, as `R2Object`. */
export interface R2Head {
  /** Key of the object. */
  readonly key: string
  /** Size in bytes. */
  readonly size: number
  /** Version of the object. */
  readonly etag: string
  /** Time of the write; a `Date`. */
  readonly uploaded: {
    /** Milliseconds since 1970. */
    getTime(): number
  }
}

/** An uploaded part, as `R2UploadedPart`. */
export interface R2Part {
  /** Number of the part, from 1. */
  readonly partNumber: number
  /** Version of the part. */
  readonly etag: string
}

/** A multipart upload, as `R2MultipartUpload`. */
export interface R2Upload {
  /** Uploads one part. */
  uploadPart(partNumber: number, value: Uint8Array<ArrayBuffer>): Promise<R2Part>
  /** Combines the parts to the object. */
  complete(parts: R2Part[]): Promise<R2Head>
  /** Discards the parts. */
  abort(): Promise<void>
}

/** The part of a Cloudflare R2 bucket binding that the storage uses, as `R2Bucket`. */
export interface R2BucketBinding {
  /** Reads the metadata of an object. */
  head(key: string): Promise<R2Head | null>
  /** Reads an object or a part of it. */
  get(
    key: string,
    options?: { range: { offset: number; length?: number } },
  ): Promise<
    | (R2Head & {
        /** The object's bytes. */
        readonly body: ReadableStream
      })
    | null
  >
  /** Writes an object; `null` if the condition failed. */
  put(
    key: string,
    value: Uint8Array<ArrayBuffer> | ReadableStream,
    options: { onlyIf: R2Condition },
  ): Promise<R2Head | null>
  /** Deletes an object. */
  delete(key: string): Promise<void>
  /** Lists objects in order of their keys. */
  list(options: { prefix: string; limit: number; startAfter?: string }): Promise<{
    /** One page of objects. */
    readonly objects: readonly R2Head[]
    /** Whether more objects follow. */
    readonly truncated: boolean
  }>
  /** Starts a multipart upload. */
  createMultipartUpload(key: string): Promise<R2Upload>
}

/** Options of `createR2Storage`. */
export interface R2StorageOptions {
  /** Prefix of every key, such as `registry/`. Default: none. */
  prefix?: string
}

/**
 * Creates a storage in a Cloudflare R2 bucket, which any number of instances can share.
 *
 * Exported from `spindle/serve`. Buffers 8 MiB of each value that is being written, independent of its size.
 *
 * @example A registry in a Worker
 * ```ts
 * export default {
 *   fetch: (request, env) =>
 *     createRegistryHandler({ storage: createR2Storage(env.BUCKET) }).fetch(request),
 * }
 * ```
 * @see {@link https://developers.cloudflare.com/r2/api/workers/workers-api-reference/ Workers API reference}
 */
export function createR2Storage(bucket: R2BucketBinding, options: R2StorageOptions = {}): Storage {
  const prefix = checkPrefix(options.prefix ?? '')
  const headOf = ({ key, size, etag, uploaded }: R2Head): StoredHead => ({
    key: key.slice(prefix.length),
    size,
    etag,
    modified: uploaded.getTime(),
  })
  const head = async (key: string): Promise<StoredHead | undefined> => {
    assertStorageKey(key)
    const found = await bucket.head(`${prefix}${key}`)
    return found === null ? undefined : headOf(found)
  }

  const putParts = async (key: string, pieces: Pieces): Promise<string> => {
    const upload = await bucket.createMultipartUpload(key)
    try {
      const parts: R2Part[] = []
      for (let part = await pieces.next(); part !== undefined; part = await pieces.next())
        parts.push(await upload.uploadPart(parts.length + 1, part as Uint8Array<ArrayBuffer>))
      return (await upload.complete(parts)).etag
    } catch (error) {
      await upload.abort().catch(() => {})
      throw error
    }
  }
  /** Conditional write of a stream. R2 needs its size, which only a `FixedLengthStream` has. */
  const putStream = async (
    key: string,
    pieces: Pieces,
    size: number,
    onlyIf: R2Condition,
  ): Promise<R2Head | null> => {
    const { readable, writable } = new FixedLengthStream!(size)
    const writer = writable.getWriter()
    // Errors reach the reader of the other end.
    writer.closed.catch(() => {})
    let failure: { error: unknown } | undefined
    const feed = async (): Promise<void> => {
      try {
        for (let part = await pieces.next(); part !== undefined; part = await pieces.next())
          await writer.write(part)
        await writer.close()
      } catch (error) {
        failure = { error }
        await writer.abort(error).catch(() => {})
      }
    }
    const feeding = feed()
    try {
      const put = await bucket.put(key, readable, { onlyIf })
      // The condition failed before R2 read the stream.
      if (put === null) await writer.abort().catch(() => {})
      await feeding
      if (put === null) await pieces.cancel()
      return put
    } catch (error) {
      const reason: unknown = failure === undefined ? error : failure.error
      await writer.abort(reason).catch(() => {})
      throw reason
    }
  }
  /**
   * Conditional write of unknown size. Multipart uploads have no conditions, so this uploads to a temporary
   * key and copies from there with a condition.
   */
  const putStaged = async (
    key: string,
    pieces: Pieces,
    onlyIf: R2Condition,
  ): Promise<R2Head | null> => {
    const staged = `${prefix}${STAGED}${crypto.randomUUID()}`
    await putParts(staged, pieces)
    try {
      const object = await bucket.get(staged)
      if (object === null || object.size > MAX_SINGLE_BYTES)
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          'conditional writes of R2 are limited to 4.9 GiB: push the blob in chunks',
        )
      return await bucket.put(key, object.body, { onlyIf })
    } finally {
      await bucket.delete(staged).catch(() => {})
    }
  }

  return {
    head,

    async get(key, { range } = {}) {
      assertStorageKey(key)
      const offset = range?.offset ?? 0
      const isPart = range !== undefined && (offset > 0 || range.length !== undefined)
      if (!isPart) {
        const found = await bucket.get(`${prefix}${key}`)
        return found === null ? undefined : { ...headOf(found), body: found.body }
      }
      // R2 rejects a range that begins beyond the end.
      const known = await head(key)
      if (known === undefined) return undefined
      const length = Math.min(range.length ?? known.size, known.size - offset)
      if (length <= 0) return { ...known, body: new Blob().stream() }
      const found = await bucket.get(`${prefix}${key}`, { range: { offset, length } })
      return found === null ? undefined : { ...headOf(found), body: found.body }
    },

    async put(key, body, { ifAbsent = false, ifMatch, size } = {}) {
      assertStorageKey(key)
      const isConditional = ifAbsent || ifMatch !== undefined
      if (isConditional) {
        const now = await head(key)
        if ((ifAbsent && now !== undefined) || (ifMatch !== undefined && now?.etag !== ifMatch)) {
          await cancelBody(body)
          return { stored: false }
        }
      }
      const onlyIf: R2Condition = {
        ...(ifAbsent && { etagDoesNotMatch: '*' }),
        ...(ifMatch !== undefined && { etagMatches: ifMatch }),
      }
      const pieces = readPieces(body, size)
      try {
        const first = (await pieces.next())!
        if (first.length < PART_BYTES)
          return result(
            await bucket.put(`${prefix}${key}`, first as Uint8Array<ArrayBuffer>, { onlyIf }),
          )
        const all = startingWith(first, pieces)
        if (!isConditional) return { stored: true, etag: await putParts(`${prefix}${key}`, all) }
        const known = sizeOf(body) ?? size
        if (FixedLengthStream !== undefined && known !== undefined && known <= MAX_SINGLE_BYTES)
          return result(await putStream(`${prefix}${key}`, all, known, onlyIf))
        return result(await putStaged(`${prefix}${key}`, all, onlyIf))
      } catch (error) {
        await pieces.cancel()
        throw error
      }
    },

    async delete(key) {
      assertStorageKey(key)
      await bucket.delete(`${prefix}${key}`)
    },

    async list(start, { after = '', limit = LIST_LIMIT } = {}) {
      const { objects, truncated } = await bucket.list({
        prefix: `${prefix}${start}`,
        limit: Math.min(limit, LIST_LIMIT),
        ...(after !== '' && { startAfter: `${prefix}${after}` }),
      })
      // Leave out temporary objects.
      const own = objects.filter(({ key }) => !key.startsWith(`${prefix}${STAGED}`))
      return { entries: own.map(headOf), more: truncated }
    },
  }
}

function result(put: R2Head | null): PutResult {
  return put === null ? { stored: false } : { stored: true, etag: put.etag }
}
