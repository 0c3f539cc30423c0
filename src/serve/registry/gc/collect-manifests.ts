import { forEachBounded } from '../../../bytes/concurrency.ts'
import { SpindleError } from '../../../errors.ts'
import type { Digest } from '../../../types.ts'
import { listAll } from '../../storage/port.ts'
import { AT_ONCE, isLeftover, listContent } from '../../storage/content-entries.ts'
import type { ContentEntry } from '../../storage/content-entries.ts'
import { bury, condemn } from '../../storage/generation.ts'
import { isYoung, listRepositories } from './collection.ts'
import type { Collection } from './collection.ts'
import {
  manifestGenerationKey,
  manifestsPrefix,
  parseContentKey,
  PENDING_PREFIX,
  referrerKey,
  tagsPrefix,
} from '../keys.ts'
import { checkManifest } from '../manifest-check.ts'
import { readManifestRecord } from '../manifest-record.ts'
import type { ManifestRecord } from '../manifest-record.ts'
import { readPending } from '../pending.ts'
import type { PendingPush } from '../pending.ts'
import { readTag } from '../tags.ts'

/** Of one repository, whose graph is held in memory: some 50 MiB. One with more keeps its untagged manifests. */
const MAX_MANIFESTS = 100_000

/** What a manifest leads to, by `read`; `undefined` when it was deleted meanwhile. */
export async function readReferences<T>(
  { storage }: Collection,
  key: string,
  read: (record: ManifestRecord) => T,
): Promise<T | undefined> {
  const record = await readManifestRecord(storage, key)
  if (record === undefined) return undefined
  try {
    return read(record)
  } catch (cause) {
    // What can't be read may lead anywhere: nothing may be removed then.
    throw new SpindleError('ERR_CONTENT_INVALID', `the storage has a broken manifest at ${key}`, {
      cause,
    })
  }
}

/** The pushes of manifests that are under way. To be asked before anything that they will have written. */
export async function* readAllPending({ storage }: Collection): AsyncGenerator<PendingPush> {
  for await (const { key } of listAll(storage, PENDING_PREFIX)) {
    const push = await readPending(storage, key)
    if (push !== undefined) yield push
  }
}

/** Removes manifests that no tag, index, subject or push under way leads to. */
export async function collectManifests(collection: Collection): Promise<void> {
  const { storage, id, signal, dryRun, found } = collection
  for await (const repository of listRepositories(collection)) {
    const doomed = await findUntagged(collection, repository)
    if (doomed.size === 0) continue
    const placeOf = ({ digest }: ContentEntry): string => manifestGenerationKey(repository, digest)
    if (!dryRun)
      await forEachBounded(
        doomed.values(),
        AT_ONCE,
        async (entry) => void (await condemn(storage, placeOf(entry), entry.generation, id)),
        signal,
      )
    // Who has not seen that it is condemned has written what leads to it before that: it is seen now.
    const still = dryRun ? doomed : await findUntagged(collection, repository)
    await forEachBounded(
      still.values(),
      AT_ONCE,
      async (entry) => {
        if (!dryRun) {
          if (!(await bury(storage, placeOf(entry), entry.generation, id))) return
          if (entry.subject !== undefined)
            await storage.delete(
              referrerKey(repository, entry.subject, entry.digest, entry.generation),
            )
          await storage.delete(entry.key)
        }
        found({ kind: 'manifest', repository, digest: entry.digest, bytes: entry.size })
      },
      signal,
    )
  }
}

interface Node extends ContentEntry {
  readonly manifests: readonly Digest[]
  readonly subject: Digest | undefined
}

/** By key. */
export async function findUntagged(
  collection: Collection,
  repository: string,
): Promise<ReadonlyMap<string, Node>> {
  // In this order: a push writes the manifest, then its tags, then takes its note away.
  const roots = [
    ...(await pendingOf(collection, repository)),
    ...(await taggedOf(collection, repository)),
  ]
  const nodes = await readNodes(collection, repository)
  if (nodes === undefined) return new Map()
  const live = liveOf(nodes, roots)
  const doomed = new Map<string, Node>()
  for (const node of nodes) {
    const place = manifestGenerationKey(repository, node.digest)
    if (!live.has(node.digest) || (await isLeftover(collection.storage, place, node)))
      doomed.set(node.key, node)
  }
  return doomed
}

async function pendingOf(collection: Collection, repository: string): Promise<Digest[]> {
  const digests: Digest[] = []
  for await (const push of readAllPending(collection))
    if (push.repository === repository) digests.push(push.digest, ...push.manifests)
  return digests
}

async function taggedOf(
  { storage, signal }: Collection,
  repository: string,
): Promise<readonly Digest[]> {
  const prefix = tagsPrefix(repository)
  const digests: Digest[] = []
  await forEachBounded(
    listAll(storage, prefix),
    AT_ONCE,
    async ({ key }) => {
      const digest = await readTag(storage, repository, key.slice(prefix.length))
      if (digest !== undefined) digests.push(digest)
    },
    signal,
  )
  return digests
}

async function readNodes(
  collection: Collection,
  repository: string,
): Promise<(Node & { young: boolean })[] | undefined> {
  const nodes: (Node & { young: boolean })[] = []
  await forEachBounded(
    listContent(collection.storage, manifestsPrefix(repository), parseContentKey),
    AT_ONCE,
    async (entry) => {
      if (nodes.length > MAX_MANIFESTS) return
      const read = await readReferences(collection, entry.key, ({ bytes, mediaType }) =>
        checkManifest(bytes, mediaType),
      )
      if (read === undefined) return
      const { manifests, subject } = read
      nodes.push({ ...entry, manifests, subject, young: isYoung(collection, entry) })
    },
    collection.signal,
  )
  return nodes.length > MAX_MANIFESTS ? undefined : nodes
}

/** What the roots and all young manifests lead to: down indexes, and from subjects to their referrers. */
function liveOf(
  nodes: readonly (Node & { young: boolean })[],
  roots: readonly Digest[],
): ReadonlySet<Digest> {
  const next = new Map<Digest, Digest[]>()
  const lead = (from: Digest, to: readonly Digest[]): void => {
    const known = next.get(from)
    if (known === undefined) next.set(from, [...to])
    else for (const digest of to) known.push(digest)
  }
  for (const { digest, manifests, subject } of nodes) {
    lead(digest, manifests)
    if (subject !== undefined) lead(subject, [digest])
  }
  const live = new Set<Digest>()
  // A subject that isn't here keeps nothing alive.
  const here = new Set(nodes.map(({ digest }) => digest))
  const queue = [...roots, ...nodes.filter(({ young }) => young).map(({ digest }) => digest)]
  for (let digest = queue.pop(); digest !== undefined; digest = queue.pop()) {
    if (live.has(digest) || !here.has(digest)) continue
    live.add(digest)
    queue.push(...(next.get(digest) ?? []))
  }
  return live
}
