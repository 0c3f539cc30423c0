import { randomId } from '../../bytes/random-id.ts'
import { readBounded } from '../../bytes/stream.ts'
import { decodeUtf8, encodeUtf8 } from '../../bytes/text.ts'
import { listAll } from '../storage/port.ts'
import type { Storage } from '../storage/port.ts'
import { uploadPrefix, UPLOADS_PREFIX } from './keys.ts'
import { Refusal } from '../http/refusal.ts'

/**
 * An upload that is open.
 *
 * Its parts are named by the offset where they begin and put only if absent: of two chunks for one
 * place exactly one is kept, on whichever machine they arrive. How far it has come stands in one
 * value, which is written by compare-and-set after each part, so that a chunk costs the same however
 * many came before it. A part that was kept and not counted, as its writer died, is counted by
 * whoever looks next.
 */
export interface UploadSession {
  readonly id: string
  readonly repository: string
  readonly prefix: string
  /** Bytes so far; where the next chunk must begin. */
  readonly offset: number
  /** Chunks so far. */
  readonly parts: number
  /** Of the value that says so. */
  readonly etag: string
}

/** Where uploads are kept, and for how many milliseconds after their last chunk. */
interface UploadStorage {
  readonly storage: Storage
  readonly uploadTtl: number
}

/** An upload that nobody touches for a day is given up. */
export const UPLOAD_TTL: number = 24 * 60 * 60 * 1000

/** As many as S3 joins into one object. Chunks of 5 MiB make 50 GB that way. */
export const MAX_PARTS = 10_000

const SESSION = 'session'
const PART = 'part/'
/** As many digits as the largest safe integer has, so that keys sort as numbers do. */
const OFFSET_DIGITS = 16
/** Of the value that says how far an upload has come: two numbers. */
const STATE_BYTES = 64

export function partKey({ prefix, offset }: Pick<UploadSession, 'prefix' | 'offset'>): string {
  return `${prefix}${PART}${String(offset).padStart(OFFSET_DIGITS, '0')}`
}

export function firstDigestKey(session: UploadSession): string {
  return `${session.prefix}digest`
}

export function sessionKey(prefix: string): string {
  return `${prefix}${SESSION}`
}

/** What a key of an upload says; `undefined` for any other. */
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

export async function openSession(
  { storage }: UploadStorage,
  repository: string,
): Promise<UploadSession> {
  const id = randomId()
  const prefix = uploadPrefix(id, repository)
  const put = await storage.put(sessionKey(prefix), formatState(0, 0), { ifAbsent: true })
  if (!put.stored) throw new Error('two uploads got the same id')
  return { id, repository, prefix, offset: 0, parts: 0, etag: put.etag }
}

/** @throws `BLOB_UPLOAD_UNKNOWN` when it was never opened here, is done, cancelled or too old. */
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
    // An empty part is about to be removed.
    if (next === undefined || next.size === 0) return session
    await countPart(storage, session, next.size)
  }
}

/**
 * Counts a part that was kept.
 * @returns false when the upload is another meanwhile: somebody else has counted it, or ended it.
 */
export async function countPart(
  storage: Storage,
  { prefix, offset, parts, etag }: UploadSession,
  size: number,
): Promise<boolean> {
  const state = formatState(offset + size, parts + 1)
  return (await storage.put(sessionKey(prefix), state, { ifMatch: etag })).stored
}

/** How far an upload has come, as far as it is counted; `undefined` when there is none. */
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
    // What is not counted belongs to a chunk that lost its place; it is swept with the session.
    if (end >= offset) break
    if (key !== partKey({ prefix, offset: end })) throw unknownUpload()
    keys.push(key)
    end += size
  }
  if (end !== offset) throw unknownUpload()
  return keys
}

export async function closeSession(
  storage: Storage,
  { prefix, hasParts }: { readonly prefix: string; readonly hasParts: boolean },
): Promise<void> {
  // The state goes first: from then on nobody adds to it.
  await storage.delete(sessionKey(prefix))
  if (!hasParts) return
  for await (const { key } of listAll(storage, prefix)) await storage.delete(key)
}

function formatState(offset: number, parts: number): Uint8Array {
  return encodeUtf8(`${offset} ${parts}`)
}

/** Before versions that count, it was empty: then all is counted anew. */
function parseState(bytes: Uint8Array): { readonly offset: number; readonly parts: number } {
  const [, offset, parts] = /^(\d{1,16}) (\d{1,8})$/.exec(decodeUtf8(bytes) ?? '') ?? []
  return { offset: Number(offset ?? 0), parts: Number(parts ?? 0) }
}

interface SweepOptions {
  readonly storage: Storage
  readonly uploadTtl: number
  /** Removes nothing. */
  readonly dryRun?: boolean
}

/**
 * Looks at one page of uploads and removes those that nobody has touched for the time to live.
 * @returns Bytes of each, and where the next call shall go on; `undefined` for the beginning.
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
    // The page may end in the middle of an upload: its later parts decide.
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
  // Sorts after all of the last upload, which was looked at whole.
  return { removed, next: page.more && last !== undefined ? `${prefixOf(last)}~` : undefined }
}

export function unknownUpload(): Refusal {
  return new Refusal(404, {
    code: 'BLOB_UPLOAD_UNKNOWN',
    message: 'no such upload, or it is done or too old: begin another with POST',
  })
}
