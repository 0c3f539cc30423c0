import { forEachBounded } from '../../bytes/concurrency.ts'
import { hexOf } from '../../bytes/digest.ts'
import { randomId } from '../../bytes/random-id.ts'
import { AT_ONCE, CLOCK_SKEW, isLeftover, listContent } from '../storage/content-entries.ts'
import type { ContentEntry } from '../storage/content-entries.ts'
import { createDigestFilter, type DigestFilter } from '../storage/digest-filter.ts'
import { bury, condemn } from '../storage/generation.ts'
import { listAll, type Storage, type StoredInfo } from '../storage/port.ts'
import { parcelGenerationKey, PARCELS_PREFIX, parseParcelKey } from './parcels.ts'
import { INVOICES_PREFIX, listKeys, readStoredInvoice, YANKED_PREFIX } from './shelf.ts'

export interface BindleGarbageOptions {
  /** Removes nothing, only says what would be. Default false. */
  readonly dryRun?: boolean
  /** Bytes of memory for what is in use. With too few, some garbage is overlooked. Default 8 MiB. */
  readonly memory?: number
  /** Told of each parcel that is removed, or would be. */
  readonly onGarbage?: (garbage: { readonly sha256: string; readonly bytes: number }) => void
  /** Ends it between two steps; what is not removed by then is by the next run. */
  readonly signal?: AbortSignal
}

export interface BindleGarbageReport {
  readonly parcels: number
  /** That the storage has got back, or would. */
  readonly bytes: number
}

/**
 * Removes the parcels that a Bindle server keeps and nobody can fetch any more: those that only
 * yanked invoices list. The invoices stay, as yanking is told of forever.
 *
 * Exported from `spindle/serve`. Safe beside pushes, yanks and other runs, on however many servers
 * over one storage: what a push was told is here stays here. Only the servers of this version may
 * take pushes at the same time. Each invoice is read once or twice.
 *
 * @example Each night, in a Worker
 * ```ts
 * export default {
 *   scheduled: (_, env) => collectBindleGarbage(createR2Storage(env.BUCKET)),
 * }
 * ```
 * @throws `ERR_CONTENT_INVALID` for an invoice that can't be read: nothing more is removed then.
 */
export async function collectBindleGarbage(
  storage: Storage,
  options: BindleGarbageOptions = {},
): Promise<BindleGarbageReport> {
  const { dryRun = false, memory, onGarbage, signal } = options
  const live = createDigestFilter(memory)
  signal?.throwIfAborted()
  const started = Date.now()
  const id = randomId()
  let parcels = 0
  let bytes = 0

  const sweep = (work: (parcel: ContentEntry) => Promise<void>): Promise<void> =>
    forEachBounded(listContent(storage, PARCELS_PREFIX, parseParcelKey), AT_ONCE, work, signal)
  const placeOf = ({ digest }: ContentEntry): string => parcelGenerationKey(hexOf(digest))

  await markLive(storage, live, () => true, signal)
  if (!dryRun) {
    await sweep(async (parcel) => {
      if (!live.has(parcel.digest)) await condemn(storage, placeOf(parcel), parcel.generation, id)
    })
    // Who has not seen that it is condemned has written its invoice before that: it is seen now.
    await markLive(storage, live, ({ modified }) => modified > started - CLOCK_SKEW, signal)
  }
  await sweep(async (parcel) => {
    const { key, digest, generation, size } = parcel
    const place = placeOf(parcel)
    if (live.has(digest) && !(await isLeftover(storage, place, parcel))) return
    if (!dryRun) {
      if (!(await bury(storage, place, generation, id))) return
      await storage.delete(key)
    }
    parcels++
    bytes += size
    onGarbage?.({ sha256: hexOf(digest), bytes: size })
  })
  return { parcels, bytes }
}

/** Adds all that invoices list which can be used. */
async function markLive(
  storage: Storage,
  live: DigestFilter,
  isAsked: (invoice: StoredInfo) => boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  // Yanked once is yanked forever: what is listed before the invoices keeps too much at worst.
  const yanked = new Set(await listKeys(storage, YANKED_PREFIX))
  await forEachBounded(
    listAll(storage, INVOICES_PREFIX),
    AT_ONCE,
    async (info) => {
      if (!isAsked(info) || yanked.has(info.key.slice(INVOICES_PREFIX.length))) return
      const stored = await readStoredInvoice(storage, info.key)
      for (const { label } of stored?.invoice.parcel ?? [])
        // Of another form none can be stored.
        if (/^[0-9a-f]{64}$/.test(label.sha256)) live.add(`sha256:${label.sha256}` as const)
    },
    signal,
  )
}
