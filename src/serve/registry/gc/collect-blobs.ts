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
import { bury, condemn, readGeneration } from '../../storage/generation.ts'
import { isYoung, listRepositories, type Collection } from './collection.ts'
import { mentionedDigests } from '../mentioned-digests.ts'
import {
  blobGenerationKey,
  BLOBS_PREFIX,
  linksPrefix,
  manifestsPrefix,
  parseContentKey,
} from '../keys.ts'

/** Removes content that no manifest leads to and nobody has pushed or mounted of late. */
export async function collectBlobs(collection: Collection, live: DigestFilter): Promise<void> {
  const { storage, id, dryRun, found, signal } = collection
  await markLive(collection, live, () => true)
  const isWanted = (entry: ContentEntry): boolean =>
    isYoung(collection, entry) || live.has(entry.digest)
  const sweep = (work: (entry: ContentEntry) => Promise<void>): Promise<void> =>
    forEachBounded(listContent(storage, BLOBS_PREFIX, parseContentKey), AT_ONCE, work, signal)

  if (!dryRun) {
    await sweep(async (entry) => {
      if (!isWanted(entry))
        await condemn(storage, blobGenerationKey(entry.digest), entry.generation, id)
    })
    // Who has not seen that it is condemned has written what leads to it before that: it is seen now.
    await markLive(collection, live, ({ modified }) => modified > collection.started - CLOCK_SKEW)
  }
  await sweep(async (entry) => {
    const { key, digest, generation, size } = entry
    const place = blobGenerationKey(digest)
    if (isWanted(entry) && !(await isLeftover(storage, place, entry))) return
    if (!dryRun) {
      if (!(await bury(storage, place, generation, id))) return
      await storage.delete(key)
    }
    found({ kind: 'blob', digest, bytes: size })
  })
  if (!dryRun) await removeDeadLinks(collection, live)
}

async function markLive(
  collection: Collection,
  live: DigestFilter,
  isWanted: (manifest: StoredInfo) => boolean,
): Promise<void> {
  // First of all: when a push takes its note away, its manifest is there.
  for await (const { mentioned } of readAllPending(collection))
    for (const digest of mentioned) live.add(digest)
  for await (const repository of listRepositories(collection)) {
    // What a true run has removed before it comes here.
    const gone =
      collection.dryRun && collection.untagged
        ? await findUntagged(collection, repository)
        : undefined
    await forEachBounded(
      listContent(collection.storage, manifestsPrefix(repository), parseContentKey),
      AT_ONCE,
      async (entry) => {
        if (!isWanted(entry) || gone?.has(entry.key) === true) return
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

/** Links to generations that are buried. No push makes another under the same key. */
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
