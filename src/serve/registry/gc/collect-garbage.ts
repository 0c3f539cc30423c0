import { randomId } from '../../../bytes/random-id.ts'
import { listAll } from '../../storage/port.ts'
import type { Storage } from '../../storage/port.ts'
import { collectBlobs } from './collect-blobs.ts'
import { collectManifests } from './collect-manifests.ts'
import type { Collection, Garbage } from './collection.ts'
import { createDigestFilter } from '../../storage/digest-filter.ts'
import { PENDING_PREFIX } from '../keys.ts'
import { sweepUploads, UPLOAD_TTL } from '../upload-session.ts'

/** A push whose blobs come today and whose manifest comes tomorrow is given up. */
const GRACE = 24 * 60 * 60 * 1000
/** No push of a manifest takes that long: its note is of an instance that has ended. */
const NOTE_AGE = 7 * 24 * 60 * 60 * 1000

export interface GarbageOptions {
  /**
   * Milliseconds that blobs, manifests and links are left alone after they were pushed, so that a
   * push has time to end. Shorter never breaks what was pushed whole; a push under way may have to
   * send a blob again. Default one day.
   */
  readonly grace?: number
  /**
   * Removes manifests too that no tag leads to: neither itself, nor by an index, nor as a referrer
   * of a subject that stays. Default false.
   */
  readonly untagged?: boolean
  /** Milliseconds after which an upload that nobody continues is removed. Default one day. */
  readonly uploadTtl?: number
  /** Removes nothing, only says what would be. Default false. */
  readonly dryRun?: boolean
  /** Bytes of memory for what is in use. With too few, some garbage is overlooked. Default 8 MiB. */
  readonly memory?: number
  /** Told of each thing that is removed, or would be. */
  readonly onGarbage?: (garbage: Garbage) => void
  /** Ends it between two steps; what is not removed by then is by the next run. */
  readonly signal?: AbortSignal
}

export interface GarbageReport {
  readonly blobs: number
  readonly manifests: number
  readonly uploads: number
  /** That the storage has got back, or would. */
  readonly bytes: number
}

/**
 * Removes what a registry keeps and nobody can want any more: blobs that no manifest leads to,
 * uploads that were given up, and by option manifests without a tag.
 *
 * Exported from `spindle/serve`. Safe beside pushes, deletions and other runs, on however many
 * instances over one storage: a manifest whose push was answered with 201 has all its blobs.
 * Only the registries of this version may push at the same time. Each manifest is read once or twice.
 *
 * @example Each night, in a Worker
 * ```ts
 * export default {
 *   scheduled: (_, env) => collectGarbage(createR2Storage(env.BUCKET), { untagged: true }),
 * }
 * ```
 * @example Look first
 * ```ts
 * const { bytes } = await collectGarbage(storage, { dryRun: true, onGarbage: console.log })
 * ```
 * @throws `ERR_CONTENT_INVALID` for a manifest that can't be read: nothing more is removed then.
 */
export async function collectGarbage(
  storage: Storage,
  options: GarbageOptions = {},
): Promise<GarbageReport> {
  const { untagged = false, dryRun = false, onGarbage, signal } = options
  const uploadTtl = milliseconds('uploadTtl', options.uploadTtl, UPLOAD_TTL)
  const live = createDigestFilter(options.memory)
  const counts = { blob: 0, manifest: 0, upload: 0 }
  let bytes = 0
  const collection: Collection = {
    storage,
    id: randomId(),
    started: Date.now(),
    grace: milliseconds('grace', options.grace, GRACE),
    untagged,
    dryRun,
    signal,
    found(garbage) {
      counts[garbage.kind]++
      bytes += garbage.bytes
      onGarbage?.(garbage)
    },
  }
  signal?.throwIfAborted()
  await collectUploads(collection, uploadTtl)
  if (untagged) await collectManifests(collection)
  await collectBlobs(collection, live)
  if (!dryRun) await removeOldNotes(collection)
  return { blobs: counts.blob, manifests: counts.manifest, uploads: counts.upload, bytes }
}

async function collectUploads(
  { storage, dryRun, signal, found }: Collection,
  uploadTtl: number,
): Promise<void> {
  let after: string | undefined
  do {
    signal?.throwIfAborted()
    const { removed, next } = await sweepUploads({ storage, uploadTtl, dryRun }, after)
    for (const size of removed) found({ kind: 'upload', bytes: size })
    after = next
  } while (after !== undefined)
}

async function removeOldNotes({ storage, started, grace }: Collection): Promise<void> {
  for await (const { key, modified } of listAll(storage, PENDING_PREFIX))
    if (modified < started - grace - NOTE_AGE) await storage.delete(key)
}

function milliseconds(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (!(value >= 0)) throw new TypeError(`"${name}" must be milliseconds from 0 on, not ${value}`)
  return value
}
