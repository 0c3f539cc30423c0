import { randomId } from '../../bytes/random-id.ts'
import { listAll } from '../storage/port.ts'
import type { Storage } from '../storage/port.ts'
import type { RegistryContext } from './context.ts'
import { uploadPrefix, UPLOADS_PREFIX } from './keys.ts'
import { Refusal } from './refusal.ts'

/**
 * An upload that is open.
 *
 * Its state is nothing but the keys of its parts, named by the offset where they begin and put only
 * if absent: of two chunks for one place exactly one is kept, on whichever machine they arrive.
 */
export interface UploadSession {
  readonly id: string
  readonly repository: string
  readonly prefix: string
  /** In order and without gaps. */
  readonly parts: readonly { readonly key: string; readonly size: number }[]
  /** Bytes so far; where the next chunk must begin. */
  readonly offset: number
}

/** An upload that nobody touches for a day is given up. */
export const UPLOAD_TTL: number = 24 * 60 * 60 * 1000

/** As many as S3 joins into one object. Chunks of 5 MiB make 50 GB that way. */
export const MAX_PARTS = 10_000

const EMPTY: Uint8Array = new Uint8Array(0)
const PART = 'part/'
/** As many digits as the largest safe integer has, so that keys sort as numbers do. */
const OFFSET_DIGITS = 16

export function partKey(session: UploadSession): string {
  return `${session.prefix}${PART}${String(session.offset).padStart(OFFSET_DIGITS, '0')}`
}

export function firstDigestKey(session: UploadSession): string {
  return `${session.prefix}digest`
}

export async function openSession(
  { storage }: RegistryContext,
  repository: string,
): Promise<UploadSession> {
  const id = randomId()
  const prefix = uploadPrefix(id, repository)
  await storage.put(`${prefix}session`, EMPTY, { ifAbsent: true })
  return { id, repository, prefix, parts: [], offset: 0 }
}

/** @throws `BLOB_UPLOAD_UNKNOWN` when it was never opened here, is done, cancelled or too old. */
export async function readSession(
  { storage, uploadTtl }: RegistryContext,
  repository: string,
  id: string,
): Promise<UploadSession> {
  const prefix = uploadPrefix(id, repository)
  const parts: { key: string; size: number }[] = []
  let offset = 0
  let open = false
  let touched = 0
  for await (const { key, size, modified } of listAll(storage, prefix)) {
    touched = Math.max(touched, modified)
    if (key === `${prefix}session`) open = true
    if (!key.startsWith(PART, prefix.length)) continue
    // A part beyond a gap belongs to a chunk that lost its place; it is swept with the session.
    if (Number(key.slice(prefix.length + PART.length)) !== offset) continue
    parts.push({ key, size })
    offset += size
  }
  if (!open || Date.now() - touched > uploadTtl) throw unknownUpload()
  return { id, repository, prefix, parts, offset }
}

export async function closeSession(storage: Storage, session: UploadSession): Promise<void> {
  // The marker goes first: from then on nobody adds to it.
  await storage.delete(`${session.prefix}session`)
  if (session.parts.length === 0) return
  for await (const { key } of listAll(storage, session.prefix)) await storage.delete(key)
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
