import { forEachBounded } from '../../../bytes/concurrency.ts'
import type { StoredInfo } from '../../storage/port.ts'
import { findUntagged, readAllPending, readReferences } from './collect-manifests.ts'
import {
  AT_ONCE,
  CLOCK_SKEW,
  isLeftover,
  listContent,
  type ContentEntry,
} from '../../storage/content-entries.ts'
import type { DigestFilter } from '../../storage/digest-filter.ts'
import { markGarbage, readGeneration, sweepGarbage } from '../../storage/generation.ts'
import { isYoung, listRepositories, type Collection } from './collection.ts'
import { mentionedDigests } from '../mentioned-digests.ts'
import {
  blobGenerationKey,
  BLOBS_PREFIX,
  linksPrefix,
  manifestsPrefix,
  parseContentKey,
} from '../keys.ts'

/** Removes blobs that no manifest refers to and that were not pushed or mounted within the grace period. */
export async function collectBlobs(collection: Collection, live: DigestFilter): Promise<void> {
  const { storage, id, dryRun, found, signal } = collection
  await markLive(collection, live, () => true)
  const isLive = (entry: ContentEntry): boolean =>
    isYoung(collection, entry) || live.has(entry.digest)
  const forEachBlob = (work: (entry: ContentEntry) => Promise<void>): Promise<void> =>
    forEachBounded(listContent(storage, BLOBS_PREFIX, parseContentKey), AT_ONCE, work, signal)

  if (!dryRun) {
    await forEachBlob(async (entry) => {
      if (!isLive(entry))
        await markGarbage(storage, blobGenerationKey(entry.digest), entry.generation, id)
    })
    // A push that did not see the mark wrote its reference before it, so this pass finds the reference.
    await markLive(collection, live, ({ modified }) => modified > collection.started - CLOCK_SKEW)
  }
  await forEachBlob(async (entry) => {
    const { key, digest, generation, size } = entry
    const generationKey = blobGenerationKey(digest)
    if (isLive(entry) && !(await isLeftover(storage, generationKey, entry))) return
    if (!dryRun) {
      if (!(await sweepGarbage(storage, generationKey, generation, id))) return
      await storage.delete(key)
    }
    found({ kind: 'blob', digest, bytes: size })
  })
  if (!dryRun) await removeDeadLinks(collection, live)
}

/** Adds the digests that pending pushes, manifests and young links refer to. */
async function markLive(
  collection: Collection,
  live: DigestFilter,
  isRelevant: (manifest: StoredInfo) => boolean,
): Promise<void> {
  // Notes first: a push deletes its note after storing its manifest.
  for await (const { mentioned } of readAllPending(collection))
    for (const digest of mentioned) live.add(digest)
  for await (const repository of listRepositories(collection)) {
    // In a dry run, skip the manifests that a real run would have removed before.
    const gone =
      collection.dryRun && collection.untagged
        ? await findUntagged(collection, repository)
        : undefined
    await forEachBounded(
      listContent(collection.storage, manifestsPrefix(repository), parseContentKey),
      AT_ONCE,
      async (entry) => {
        if (!isRelevant(entry) || gone?.has(entry.key) === true) return
        const read = readReferences(collection, entry.key, ({ bytes }) => mentionedDigests(bytes))
        for (const digest of (await read) ?? []) live.add(digest)
      },
      collection.signal,
    )
    for await (const link of listContent(
      collection.storage,
      linksPrefix(repository),
      parseContentKey,
    ))
      if (isYoung(collection, link)) live.add(link.digest)
  }
}

/** Removes links to swept generations. No push creates a link under the same key again. */
async function removeDeadLinks(collection: Collection, live: DigestFilter): Promise<void> {
  const { storage, signal } = collection
  for await (const repository of listRepositories(collection))
    await forEachBounded(
      listContent(storage, linksPrefix(repository), parseContentKey),
      AT_ONCE,
      async ({ key, digest, generation, isDoubled }) => {
        if (!isDoubled && live.has(digest)) return
        const { number } = await readGeneration(storage, blobGenerationKey(digest))
        if (number > generation) await storage.delete(key)
      },
      signal,
    )
}
