import { forEachBounded } from '../../bytes/concurrency.ts'
import { hexOf } from '../../bytes/digest.ts'
import { randomId } from '../../bytes/random-id.ts'
import { AT_ONCE, CLOCK_SKEW, isLeftover, listContent } from '../storage/content-entries.ts'
import type { ContentEntry } from '../storage/content-entries.ts'
import { createDigestFilter, type DigestFilter } from '../storage/digest-filter.ts'
import { markGarbage, sweepGarbage } from '../storage/generation.ts'
import { listAll, type Storage, type StoredInfo } from '../storage/port.ts'
import { parcelGenerationKey, PARCELS_PREFIX, parseParcelKey } from './parcels.ts'
import { INVOICES_PREFIX, listKeys, readStoredInvoice, YANKED_PREFIX } from './shelf.ts'

/** Options of `collectBindleGarbage`. */
export interface BindleGarbageOptions {
  /** Removes nothing, only reports. Default false. */
  readonly dryRun?: boolean
  /** Bytes of memory for the set of live parcels. With too few, some garbage is kept. Default 8 MiB. */
  readonly memory?: number
  /** Called for each parcel that is removed, or would be with `dryRun`. */
  readonly onGarbage?: (garbage: { readonly sha256: string; readonly bytes: number }) => void
  /** Stops the collection between two steps; the next run removes the rest. */
  readonly signal?: AbortSignal
}

/** Number and size of the removed parcels; with `dryRun`, of those that would be removed. */
export interface BindleGarbageReport {
  /** Number of parcels. */
  readonly parcels: number
  /** Sum of their sizes in the storage. */
  readonly bytes: number
}

/**
 * Removes parcels of a Bindle server that cannot be fetched any more by mark and sweep: those that only
 * yanked invoices list. Keeps the invoices, because yanking is permanent.
 *
 * Exported from `spindle/serve`. Safe during pushes, yanks and other collections, on any number of servers
 * with the same storage: a parcel that a push was told exists is kept. All servers that accept pushes at the
 * same time must run this version. Reads each invoice once or twice.
 *
 * @example Each night, in a Worker
 * ```ts
 * export default {
 *   scheduled: (_, env) => collectBindleGarbage(createR2Storage(env.BUCKET)),
 * }
 * ```
 * @throws `TypeError` for an invalid option; `ERR_CONTENT_INVALID` for an invoice that cannot be parsed,
 * after which nothing more is removed; the reason of `signal`; errors of the storage.
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

  const forEachParcel = (work: (parcel: ContentEntry) => Promise<void>): Promise<void> =>
    forEachBounded(listContent(storage, PARCELS_PREFIX, parseParcelKey), AT_ONCE, work, signal)
  const keyOf = ({ digest }: ContentEntry): string => parcelGenerationKey(hexOf(digest))

  await markLive(storage, live, () => true, signal)
  if (!dryRun) {
    await forEachParcel(async (parcel) => {
      if (!live.has(parcel.digest)) await markGarbage(storage, keyOf(parcel), parcel.generation, id)
    })
    // A push that did not see the mark wrote its invoice before it, so this pass finds the invoice.
    await markLive(storage, live, ({ modified }) => modified > started - CLOCK_SKEW, signal)
  }
  await forEachParcel(async (parcel) => {
    const { key, digest, generation, size } = parcel
    const generationKey = keyOf(parcel)
    if (live.has(digest) && !(await isLeftover(storage, generationKey, parcel))) return
    if (!dryRun) {
      if (!(await sweepGarbage(storage, generationKey, generation, id))) return
      await storage.delete(key)
    }
    parcels++
    bytes += size
    onGarbage?.({ sha256: hexOf(digest), bytes: size })
  })
  return { parcels, bytes }
}

/** Adds the parcels of all invoices that are not yanked. */
async function markLive(
  storage: Storage,
  live: DigestFilter,
  isRelevant: (invoice: StoredInfo) => boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  // Yanking is permanent: if an invoice is yanked after this list, its parcels are kept until the next run.
  const yanked = new Set(await listKeys(storage, YANKED_PREFIX))
  await forEachBounded(
    listAll(storage, INVOICES_PREFIX),
    AT_ONCE,
    async (info) => {
      if (!isRelevant(info) || yanked.has(info.key.slice(INVOICES_PREFIX.length))) return
      const stored = await readStoredInvoice(storage, info.key)
      for (const { label } of stored?.invoice.parcel ?? [])
        // No parcel is stored under another form.
        if (/^[0-9a-f]{64}$/.test(label.sha256)) live.add(`sha256:${label.sha256}` as const)
    },
    signal,
  )
}
