import type { Content } from '../../types.ts'
import { createSizeCheck, type SizeCheck } from '../../bytes/stream.ts'

/**
 * The port behind every server of this library: named values, each whole or not there.
 *
 * Narrow enough for a Map, a folder, Cloudflare R2 or an S3 bucket. What a platform can do beyond
 * it is an optional power, found by presence (`'move' in storage`).
 */

/** What is known of a value without reading it. */
export interface StoredInfo {
  readonly key: string
  /** Of the whole value, in bytes. */
  readonly size: number
  /** When it was put, in milliseconds since 1970, as far as the storage knows. */
  readonly modified: number
}

/** The same with the version, for compare-and-set. */
export interface StoredHead extends StoredInfo {
  /** Opaque. Two different values of one key never share it. */
  readonly etag: string
}

export interface StoredValue extends StoredHead {
  /** The bytes asked for. Read it to its end or cancel it: it may hold resources. */
  readonly body: ReadableStream<Uint8Array>
}

/** Part of a value. What lies beyond its end is left out. */
export interface StoredRange {
  /** First byte, from 0. */
  readonly offset: number
  /** In bytes. Default: up to the end. */
  readonly length?: number
}

export interface GetOptions {
  readonly range?: StoredRange
}

/** A body to keep. A one-shot stream may say its size: object stores like to know it beforehand. */
export type StorageBody = Uint8Array | Content | ReadableStream<Uint8Array>

export interface PutOptions {
  /** Put only if there is no such key. Of several at once exactly one is stored. */
  readonly ifAbsent?: boolean
  /** Put only if the value there still has this etag. Of several at once exactly one is stored. */
  readonly ifMatch?: string
  /** Bytes that a one-shot stream will have; one that has more or fewer is refused. */
  readonly size?: number
}

/** `stored: false` says that `ifAbsent` or `ifMatch` did not hold; nothing was changed. */
export type PutResult =
  { readonly stored: true; readonly etag: string } | { readonly stored: false }

export interface ListOptions {
  /** Only keys that sort after this one. */
  readonly after?: string
  /** At most so many entries. Default 1000. */
  readonly limit?: number
}

export interface ListResult {
  /** In ascending code unit order of their keys. May be fewer than `limit` though there are more. */
  readonly entries: readonly StoredInfo[]
  /** Whether keys follow: list again, `after` the last one here. */
  readonly more: boolean
}

/**
 * Where a server keeps bytes and names.
 *
 * Reads see a `put` as soon as it has resolved, in this process and in every other over the same
 * place. Keys must pass {@link assertStorageKey}.
 */
export interface Storage {
  get(key: string, options?: GetOptions): Promise<StoredValue | undefined>
  head(key: string): Promise<StoredHead | undefined>
  /**
   * Keeps a value. It appears whole, once all bytes have come, or not at all: a stream that errors
   * makes this reject with that error and leaves what was there before. When a precondition fails
   * early, the rest of a stream is cancelled, not read.
   */
  put(key: string, body: StorageBody, options?: PutOptions): Promise<PutResult>
  /** Resolves too when there was nothing. */
  delete(key: string): Promise<void>
  /** Keys that start with `prefix`, which may be empty or end in the middle of a name. */
  list(prefix: string, options?: ListOptions): Promise<ListResult>
}

/** Optional power: renames without moving bytes. */
export interface MovingStorage extends Storage {
  /**
   * Makes the value at `from` that of `to`, atomically and at no cost of its size; `from` is gone
   * then. Nothing happens and `stored` is false when `from` isn't there, or `to` is with `ifAbsent`.
   */
  move(from: string, to: string, options?: { readonly ifAbsent?: boolean }): Promise<PutResult>
}

/** Whether a storage can rename in one step, which saves copying an upload that is complete. */
export function canMove(storage: Storage): storage is MovingStorage {
  return 'move' in storage && typeof storage.move === 'function'
}

/** Most entries that one `list` returns when not told otherwise; what R2 and S3 give at once. */
export const LIST_LIMIT = 1000

/** Longest key in bytes. R2 and S3 end at 1024; the rest is room for a prefix of the operator's. */
export const MAX_KEY_LENGTH = 768

/**
 * Keys are printable ASCII without `\`, names joined by single `/`, none of them `.` or `..`; up to
 * 768 bytes, case matters. A key may be the beginning of another (`a` and `a/b`).
 * @throws TypeError
 */
export function assertStorageKey(key: string): void {
  if (key.length > MAX_KEY_LENGTH || !/^[\x21-\x5b\x5d-\x7e]+$/.test(key)) throw badKey(key)
  for (const name of key.split('/')) {
    if (name === '' || name === '.' || name === '..') throw badKey(key)
  }
}

function badKey(key: string): TypeError {
  return new TypeError(`not a storage key: ${JSON.stringify(key.slice(0, 80))}`)
}

/** Walks all keys of a prefix, page by page, in order. */
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

/** Of a body that is not wanted any more. */
export async function cancelBody(body: StorageBody): Promise<void> {
  if (!(body instanceof Uint8Array) && 'getReader' in body) await body.cancel().catch(() => {})
}

/** Checks that a value has the size that was announced. */
export function createValueSizeCheck(announced: number | undefined): SizeCheck {
  return createSizeCheck('the value to store', announced, 'send it again with its exact size')
}
