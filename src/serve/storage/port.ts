import type { Content } from '../../types.ts'
import { createSizeCheck, type SizeCheck } from '../../bytes/stream.ts'

/**
 * The storage interface of the servers: a key-value store with atomic writes and compare-and-set.
 *
 * Can be implemented over a Map, a directory, Cloudflare R2 or an S3 bucket. Additional capabilities are
 * optional and detected by presence (`'move' in storage`).
 */

/** Metadata of a stored value. */
export interface StoredInfo {
  /** Key of the value. */
  readonly key: string
  /** Size of the whole value in bytes. */
  readonly size: number
  /** Time of the last write in milliseconds since 1970; 0 if unknown. */
  readonly modified: number
}

/** Metadata with the version of the value, for compare-and-set. */
export interface StoredHead extends StoredInfo {
  /** Opaque version. Different values of one key never have the same. */
  readonly etag: string
}

/** A stored value. */
export interface StoredValue extends StoredHead {
  /** The requested bytes. Read it to the end or cancel it, to release its resources. */
  readonly body: ReadableStream<Uint8Array>
}

/** Part of a value. Positions beyond its end are ignored. */
export interface StoredRange {
  /** First byte, from 0. */
  readonly offset: number
  /** Number of bytes. Default: up to the end. */
  readonly length?: number
}

/** Options of `get`. */
export interface GetOptions {
  /** Part of the value to read. Default: all of it. */
  readonly range?: StoredRange
}

/** A value to store. For a one-shot stream, pass `size` if known: object stores need it to stream. */
export type StorageBody = Uint8Array | Content | ReadableStream<Uint8Array>

/** Options of `put`. */
export interface PutOptions {
  /** Store only if the key does not exist. Of concurrent writes, exactly one succeeds. */
  readonly ifAbsent?: boolean
  /** Store only if the current value has this etag. Of concurrent writes, exactly one succeeds. */
  readonly ifMatch?: string
  /** Size of a one-shot stream in bytes; a stream of another size is rejected. */
  readonly size?: number
}

/** Result of a write. `stored: false`: the `ifAbsent` or `ifMatch` condition failed, nothing was changed. */
export type PutResult =
  | {
      /** The value was written. */
      readonly stored: true
      /** Version of the new value. */
      readonly etag: string
    }
  | {
      /** A condition failed. */
      readonly stored: false
    }

/** Options of `list`. */
export interface ListOptions {
  /** List only keys greater than this one. */
  readonly after?: string
  /** Most entries to return. Default 1000. */
  readonly limit?: number
}

/** A page of entries. */
export interface ListResult {
  /** In ascending code unit order of the keys. Can be fewer than `limit` even if `more` is true. */
  readonly entries: readonly StoredInfo[]
  /** Whether more keys follow: list again with `after` set to the last key. */
  readonly more: boolean
}

/**
 * Storage of a server.
 *
 * Reads see a `put` as soon as it has resolved, in this process and in all others with the same storage.
 * Keys must pass {@link assertStorageKey}.
 */
export interface Storage {
  /** Reads a value; `undefined` if it does not exist. */
  get(key: string, options?: GetOptions): Promise<StoredValue | undefined>
  /** Reads the metadata of a value; `undefined` if it does not exist. */
  head(key: string): Promise<StoredHead | undefined>
  /**
   * Writes a value atomically, after all of its bytes were received. If the stream errors, rejects with that
   * error and keeps the previous value. If a condition fails early, cancels the stream.
   */
  put(key: string, body: StorageBody, options?: PutOptions): Promise<PutResult>
  /** Deletes a value; resolves also if it does not exist. */
  delete(key: string): Promise<void>
  /** Lists keys that start with `prefix`, which can be empty or end in the middle of a name. */
  list(prefix: string, options?: ListOptions): Promise<ListResult>
}

/** A storage that can rename values without copying them. */
export interface MovingStorage extends Storage {
  /**
   * Renames a value atomically. `stored` is false, and nothing changes, if `from` does not exist, or if `to`
   * exists and `ifAbsent` is set.
   */
  move(from: string, to: string, options?: { readonly ifAbsent?: boolean }): Promise<PutResult>
}

/**
 * Whether a storage can rename values, which avoids copying a completed upload.
 *
 * Exported from `spindle/serve`.
 *
 * @example Copy where renaming is not possible
 * ```ts
 * if (canMove(storage)) await storage.move('a', 'b')
 * else await storage.put('b', (await storage.get('a'))!.body)
 * ```
 */
export function canMove(storage: Storage): storage is MovingStorage {
  return 'move' in storage && typeof storage.move === 'function'
}

/** Default number of entries of a `list`; the page size of R2 and S3. */
export const LIST_LIMIT = 1000

/** Longest key in bytes. R2 and S3 allow 1024; the difference is for a prefix. */
export const MAX_KEY_LENGTH = 768

/**
 * Validates a storage key: printable ASCII without `\` and spaces, names joined by single `/`, no name `.`
 * or `..`, up to 768 bytes, case-sensitive. A key can be the beginning of another one (`a` and `a/b`).
 *
 * Exported from `spindle/serve`.
 *
 * @example In a storage of your own
 * ```ts
 * async head(key) {
 *   assertStorageKey(key)
 *   return database.find(key)
 * }
 * ```
 * @throws `TypeError` for an invalid key.
 */
export function assertStorageKey(key: string): void {
  if (key.length > MAX_KEY_LENGTH || !/^[\x21-\x5b\x5d-\x7e]+$/.test(key)) throw badKey(key)
  for (const name of key.split('/')) {
    if (name === '' || name === '.' || name === '..') throw badKey(key)
  }
}

function badKey(key: string): TypeError {
  return new TypeError(`invalid storage key: ${JSON.stringify(key.slice(0, 80))}`)
}

/**
 * Lists all keys with a prefix in order, page by page.
 *
 * Exported from `spindle/serve`.
 *
 * @example The size of all blobs
 * ```ts
 * let bytes = 0
 * for await (const { size } of listAll(storage, 'blobs/')) bytes += size
 * ```
 */
export async function* listAll(
  storage: Storage,
  prefix: string,
  options: { after?: string } = {},
): AsyncGenerator<StoredInfo> {
  let after = options.after
  for (;;) {
    const page = await storage.list(prefix, after === undefined ? {} : { after })
    yield* page.entries
    const last = page.entries.at(-1)
    if (!page.more || last === undefined) return
    after = last.key
  }
}

/** Cancels a body that will not be read. */
export async function cancelBody(body: StorageBody): Promise<void> {
  if (!(body instanceof Uint8Array) && 'getReader' in body) await body.cancel().catch(() => {})
}

/** Checks that a value has the size that was announced. */
export function createValueSizeCheck(announced: number | undefined): SizeCheck {
  return createSizeCheck('the value to store', announced, 'send it again with its exact size')
}
