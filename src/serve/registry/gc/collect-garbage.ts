import { randomId } from '../../../bytes/random-id.ts'
import { listAll } from '../../storage/port.ts'
import type { Storage } from '../../storage/port.ts'
import { collectBlobs } from './collect-blobs.ts'
import { collectManifests } from './collect-manifests.ts'
import type { Collection, Garbage } from './collection.ts'
import { createDigestFilter } from '../../storage/digest-filter.ts'
import { PENDING_PREFIX } from '../keys.ts'
import { sweepUploads, UPLOAD_TTL } from '../upload-session.ts'

/** Default grace period in milliseconds: one day between a push of blobs and that of their manifest. */
const GRACE = 24 * 60 * 60 * 1000
/** Age at which a note about a manifest push is removed: no push takes that long, its instance has crashed. */
const NOTE_AGE = 7 * 24 * 60 * 60 * 1000

/** Options of `collectGarbage`. */
export interface GarbageOptions {
  /**
   * Grace period in milliseconds: younger blobs, manifests and links are kept, so that pushes have time to
   * complete. A shorter one never damages complete pushes, but pushes in progress may have to send blobs
   * again. Default one day.
   */
  readonly grace?: number
  /**
   * Also removes untagged manifests: those that no tag points to, neither directly, nor through an index, nor
   * as a referrer of a manifest that is kept. Default false.
   */
  readonly untagged?: boolean
  /** Milliseconds after which an inactive upload is removed. Default one day. */
  readonly uploadTtl?: number
  /** Removes nothing, only reports. Default false. */
  readonly dryRun?: boolean
  /** Bytes of memory for the set of live digests. With too few, some garbage is kept. Default 8 MiB. */
  readonly memory?: number
  /** Called for each item that is removed, or would be with `dryRun`. */
  readonly onGarbage?: (garbage: Garbage) => void
  /** Stops the collection between two steps; the next run removes the rest. */
  readonly signal?: AbortSignal
}

/** Number and size of the removed items; with `dryRun`, of those that would be removed. */
export interface GarbageReport {
  /** Number of blobs. */
  readonly blobs: number
  /** Number of manifests. */
  readonly manifests: number
  /** Number of uploads. */
  readonly uploads: number
  /** Sum of their sizes in the storage. */
  readonly bytes: number
}

/**
 * Removes garbage from the storage of a registry by mark and sweep: blobs without a manifest, inactive
 * uploads, and optionally untagged manifests.
 *
 * Exported from `spindle/serve`. Safe during pushes, deletions and other collections, on any number of
 * instances with the same storage: a manifest whose push was answered with 201 keeps all its blobs. All
 * registries that push at the same time must run this version. Reads each manifest once or twice.
 *
 * @example Each night, in a Worker
 * ```ts
 * export default {
 *   scheduled: (_, env) => collectGarbage(createR2Storage(env.BUCKET), { untagged: true }),
 * }
 * ```
 * @example Report without removing
 * ```ts
 * const { bytes } = await collectGarbage(storage, { dryRun: true, onGarbage: console.log })
 * ```
 * @throws `TypeError` for an invalid option; `ERR_CONTENT_INVALID` for a manifest that cannot be parsed,
 * after which nothing more is removed; the reason of `signal`; errors of the storage.
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
  if (!(value >= 0))
    throw new TypeError(`"${name}" should be milliseconds, 0 or more, and is ${value}`)
  return value
}
