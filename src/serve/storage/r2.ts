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

/** Most bytes that R2 takes in one `put`, the only write of it that knows conditions. */
const MAX_SINGLE_BYTES = 4.9 * 1024 ** 3

/** Where parts are joined. Garbage of crashed instances stays there; R2's life-cycle rules remove it. */
const STAGED = '~staged/'

const { FixedLengthStream } = globalThis as {
  FixedLengthStream?: new (length: number) => {
    readonly readable: ReadableStream<Uint8Array>
    readonly writable: WritableStream<Uint8Array>
  }
}

export interface R2Condition {
  etagMatches?: string
  etagDoesNotMatch?: string
}

export interface R2Head {
  readonly key: string
  readonly size: number
  readonly etag: string
  readonly uploaded: { getTime(): number }
}

export interface R2Part {
  readonly partNumber: number
  readonly etag: string
}

export interface R2Upload {
  uploadPart(partNumber: number, value: Uint8Array<ArrayBuffer>): Promise<R2Part>
  complete(parts: R2Part[]): Promise<R2Head>
  abort(): Promise<void>
}

/** What a storage needs of a bucket binding of Cloudflare R2. */
export interface R2BucketBinding {
  head(key: string): Promise<R2Head | null>
  get(
    key: string,
    options?: { range: { offset: number; length?: number } },
  ): Promise<(R2Head & { readonly body: ReadableStream }) | null>
  put(
    key: string,
    value: Uint8Array<ArrayBuffer> | ReadableStream,
    options: { onlyIf: R2Condition },
  ): Promise<R2Head | null>
  delete(key: string): Promise<void>
  list(options: { prefix: string; limit: number; startAfter?: string }): Promise<{
    readonly objects: readonly R2Head[]
    readonly truncated: boolean
  }>
  createMultipartUpload(key: string): Promise<R2Upload>
}

export interface R2StorageOptions {
  /** Before every key, as `registry/`. Default: none. */
  prefix?: string
}

/**
 * A storage in a bucket of Cloudflare R2, for any number of instances at once.
 *
 * Exported from `spindle/serve`. Holds 8 MiB of each value that comes in, however large it is.
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
  /** One write under a condition, of a size that is known: only Workers' own streams say it. */
  const putStream = async (
    key: string,
    pieces: Pieces,
    size: number,
    onlyIf: R2Condition,
  ): Promise<R2Head | null> => {
    const { readable, writable } = new FixedLengthStream!(size)
    const writer = writable.getWriter()
    // Whoever reads the other end learns it too.
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
      // Refused before it was read: nobody will.
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
   * Parts know no conditions, so they are joined at a place of their own, and what they make is
   * put from there: it costs a second copy, but of several writers exactly one is stored.
   */
  const putStaged = async (
    key: string,
    pieces: Pieces,
    onlyIf: R2Condition,
  ): Promise<R2Head | null> => {
    const place = `${prefix}${STAGED}${crypto.randomUUID()}`
    await putParts(place, pieces)
    try {
      const whole = await bucket.get(place)
      if (whole === null || whole.size > MAX_SINGLE_BYTES)
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          'R2 takes no more than 4.9 GiB under a condition; push the blob in chunks',
        )
      return await bucket.put(key, whole.body, { onlyIf })
    } finally {
      await bucket.delete(place).catch(() => {})
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
      // R2 refuses a range that begins beyond the end.
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
      // What is being joined is nobody's value; it sorts after all else.
      const own = objects.filter(({ key }) => !key.startsWith(`${prefix}${STAGED}`))
      return { entries: own.map(headOf), more: truncated }
    },
  }
}

function result(put: R2Head | null): PutResult {
  return put === null ? { stored: false } : { stored: true, etag: put.etag }
}
