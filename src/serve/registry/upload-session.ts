import { randomId } from '../../bytes/random-id.ts'
import { readBounded } from '../../bytes/stream.ts'
import { decodeUtf8, encodeUtf8 } from '../../bytes/text.ts'
import { listAll } from '../storage/port.ts'
import type { Storage } from '../storage/port.ts'
import { uploadPrefix, UPLOADS_PREFIX } from './keys.ts'
import { Refusal } from '../http/refusal.ts'

/**
 * An open upload.
 *
 * The keys of its parts contain their offset, and parts are stored with create-if-absent: of two chunks for
 * the same offset exactly one is stored, also across instances. Offset and number of parts are in one state
 * value, updated by compare-and-set after each part, so that the cost of a chunk does not depend on the
 * number of earlier chunks. A part that is stored but not counted, because its writer crashed, is counted by
 * the next read.
 */
export interface UploadSession {
  readonly id: string
  readonly repository: string
  readonly prefix: string
  /** Bytes received; the offset of the next chunk. */
  readonly offset: number
  /** Chunks received. */
  readonly parts: number
  /** Etag of the state value. */
  readonly etag: string
}

/** The storage of uploads, and their lifetime after the last chunk in milliseconds. */
interface UploadStorage {
  readonly storage: Storage
  readonly uploadTtl: number
}

/** Default lifetime of an inactive upload in milliseconds: one day. */
export const UPLOAD_TTL: number = 24 * 60 * 60 * 1000

/** Most chunks of an upload, as in S3: chunks of 5 MiB make up to 50 GB. */
export const MAX_PARTS = 10_000

const SESSION = 'session'
const PART = 'part/'
/** Digits of the largest safe integer: zero-padded offsets sort numerically. */
const OFFSET_DIGITS = 16
/** Largest state value: two numbers. */
const STATE_BYTES = 64

export function partKey({ prefix, offset }: Pick<UploadSession, 'prefix' | 'offset'>): string {
  return `${prefix}${PART}${String(offset).padStart(OFFSET_DIGITS, '0')}`
}

/** Key of the digest of the first part. */
export function firstDigestKey(session: UploadSession): string {
  return `${session.prefix}digest`
}

export function sessionKey(prefix: string): string {
  return `${prefix}${SESSION}`
}

/** Parses a key of an upload; `undefined` for any other key. */
export function parseUploadKey(key: string):
  | {
      readonly id: string
      readonly repository: string
      readonly prefix: string
      readonly isPart: boolean
    }
  | undefined {
  const match = /^(uploads\/([^/]+)\/(.+?)\/_)(session$|digest$|part\/)/.exec(key)
  if (match === null) return undefined
  const [, prefix = '', id = '', repository = '', kind] = match
  return { id, repository, prefix, isPart: kind === PART }
}

/** Creates an upload. */
export async function openSession(
  { storage }: UploadStorage,
  repository: string,
): Promise<UploadSession> {
  const id = randomId()
  const prefix = uploadPrefix(id, repository)
  const put = await storage.put(sessionKey(prefix), formatState(0, 0), { ifAbsent: true })
  if (!put.stored) throw new Error('the random upload ID is already in use')
  return { id, repository, prefix, offset: 0, parts: 0, etag: put.etag }
}

/** Reads an upload. @throws `BLOB_UPLOAD_UNKNOWN` when it does not exist, is finished, cancelled or expired. */
export async function readSession(
  { storage, uploadTtl }: UploadStorage,
  repository: string,
  id: string,
): Promise<UploadSession> {
  const prefix = uploadPrefix(id, repository)
  for (;;) {
    const value = await storage.get(sessionKey(prefix))
    if (value === undefined) throw unknownUpload()
    const state = parseState(await readBounded(value.body, STATE_BYTES, 'the state of an upload'))
    if (Date.now() - value.modified > uploadTtl) throw unknownUpload()
    const session = { id, repository, prefix, ...state, etag: value.etag }
    const next = await storage.head(partKey(session))
    // An empty part is about to be deleted.
    if (next === undefined || next.size === 0) return session
    await countPart(storage, session, next.size)
  }
}

/**
 * Adds a stored part to the state of the upload.
 * @returns false when the state has changed: another request has counted the part or closed the upload.
 */
export async function countPart(
  storage: Storage,
  { prefix, offset, parts, etag }: UploadSession,
  size: number,
): Promise<boolean> {
  const state = formatState(offset + size, parts + 1)
  return (await storage.put(sessionKey(prefix), state, { ifMatch: etag })).stored
}

/** The counted bytes of an upload; `undefined` when it does not exist. */
export async function offsetOf(storage: Storage, prefix: string): Promise<number | undefined> {
  const value = await storage.get(sessionKey(prefix))
  if (value === undefined) return undefined
  return parseState(await readBounded(value.body, STATE_BYTES, 'the state of an upload')).offset
}

/** Keys of all parts, in order. @throws `BLOB_UPLOAD_UNKNOWN` when one is missing. */
export async function listParts(
  storage: Storage,
  { prefix, offset }: UploadSession,
): Promise<readonly string[]> {
  const keys: string[] = []
  let end = 0
  for await (const { key, size } of listAll(storage, `${prefix}${PART}`)) {
    // An uncounted part is of a chunk that lost a race; it is deleted with the session.
    if (end >= offset) break
    if (key !== partKey({ prefix, offset: end })) throw unknownUpload()
    keys.push(key)
    end += size
  }
  if (end !== offset) throw unknownUpload()
  return keys
}

/** Deletes an upload. */
export async function closeSession(
  storage: Storage,
  { prefix, hasParts }: { readonly prefix: string; readonly hasParts: boolean },
): Promise<void> {
  // Delete the state first, so that no more parts are counted.
  await storage.delete(sessionKey(prefix))
  if (!hasParts) return
  for await (const { key } of listAll(storage, prefix)) await storage.delete(key)
}

function formatState(offset: number, parts: number): Uint8Array {
  return encodeUtf8(`${offset} ${parts}`)
}

/** Parses the state. Earlier versions stored an empty state: then all parts are counted again. */
function parseState(bytes: Uint8Array): { readonly offset: number; readonly parts: number } {
  const [, offset, parts] = /^(\d{1,16}) (\d{1,8})$/.exec(decodeUtf8(bytes) ?? '') ?? []
  return { offset: Number(offset ?? 0), parts: Number(parts ?? 0) }
}

interface SweepOptions {
  readonly storage: Storage
  readonly uploadTtl: number
  /** Deletes nothing. */
  readonly dryRun?: boolean
}

/**
 * Removes expired uploads on one page of the list.
 * @param after Where to continue; `undefined` for the beginning.
 * @returns The size of each removed upload, and where to continue; `undefined` after the last page.
 */
export async function sweepUploads(
  { storage, uploadTtl, dryRun = false }: SweepOptions,
  after: string | undefined,
): Promise<{ removed: number[]; next: string | undefined }> {
  const page = await storage.list(UPLOADS_PREFIX, after === undefined ? {} : { after })
  const isOld = (modified: number): boolean => Date.now() - modified > uploadTtl
  const prefixOf = (key: string): string =>
    key.slice(0, key.indexOf('/', UPLOADS_PREFIX.length) + 1)
  const young = new Set<string>()
  const old = new Set<string>()
  for (const { key, modified } of page.entries) (isOld(modified) ? old : young).add(prefixOf(key))
  const removed: number[] = []
  for (const prefix of old) {
    if (young.has(prefix)) continue
    // The page can end in the middle of an upload: check its other parts too.
    const keys: string[] = []
    let touched = 0
    let bytes = 0
    for await (const { key, size, modified } of listAll(storage, prefix)) {
      keys.push(key)
      bytes += size
      touched = Math.max(touched, modified)
    }
    if (!isOld(touched)) continue
    removed.push(bytes)
    if (!dryRun) for (const key of keys) await storage.delete(key)
  }
  const last = page.entries.at(-1)?.key
  // Continue after all keys of the last upload, which was checked completely.
  return { removed, next: page.more && last !== undefined ? `${prefixOf(last)}~` : undefined }
}

/** 404 for an upload that is not open. */
export function unknownUpload(): Refusal {
  return new Refusal(404, {
    code: 'BLOB_UPLOAD_UNKNOWN',
    message: 'the upload does not exist, is finished or has expired: start another one with POST',
  })
}
