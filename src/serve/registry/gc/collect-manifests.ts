import { forEachBounded } from '../../../bytes/concurrency.ts'
import { SpindleError } from '../../../errors.ts'
import type { Digest } from '../../../types.ts'
import { listAll } from '../../storage/port.ts'
import { AT_ONCE, isLeftover, listContent } from '../../storage/content-entries.ts'
import type { ContentEntry } from '../../storage/content-entries.ts'
import { markGarbage, sweepGarbage } from '../../storage/generation.ts'
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

/** Most manifests of one repository, whose graph takes about 50 MiB of memory. Larger ones keep untagged manifests. */
const MAX_MANIFESTS = 100_000

/** Reads the references of a manifest with `read`; `undefined` when it was deleted concurrently. */
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
    // An unreadable manifest could refer to anything, so nothing may be removed.
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the stored manifest ${key} is damaged: delete or restore it, then collect garbage again`,
      { cause },
    )
  }
}

/** Lists the manifest pushes in progress. Call it before listing what these pushes write. */
export async function* readAllPending({ storage }: Collection): AsyncGenerator<PendingPush> {
  for await (const { key } of listAll(storage, PENDING_PREFIX)) {
    const push = await readPending(storage, key)
    if (push !== undefined) yield push
  }
}

/** Removes manifests that no tag, index, kept subject or push in progress refers to. */
export async function collectManifests(collection: Collection): Promise<void> {
  const { storage, id, signal, dryRun, found } = collection
  for await (const repository of listRepositories(collection)) {
    const candidates = await findUntagged(collection, repository)
    if (candidates.size === 0) continue
    const keyOf = ({ digest }: ContentEntry): string => manifestGenerationKey(repository, digest)
    if (!dryRun)
      await forEachBounded(
        candidates.values(),
        AT_ONCE,
        async (entry) => void (await markGarbage(storage, keyOf(entry), entry.generation, id)),
        signal,
      )
    // A push that did not see the mark wrote its reference before it, so this pass finds the reference.
    const garbage = dryRun ? candidates : await findUntagged(collection, repository)
    await forEachBounded(
      garbage.values(),
      AT_ONCE,
      async (entry) => {
        if (!dryRun) {
          if (!(await sweepGarbage(storage, keyOf(entry), entry.generation, id))) return
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

/** Finds the untagged manifests of a repository, by storage key. */
export async function findUntagged(
  collection: Collection,
  repository: string,
): Promise<ReadonlyMap<string, Node>> {
  // Notes before tags before manifests: a push writes the manifest, then its tags, then deletes its note.
  const roots = [
    ...(await pendingOf(collection, repository)),
    ...(await taggedOf(collection, repository)),
  ]
  const nodes = await readNodes(collection, repository)
  if (nodes === undefined) return new Map()
  const live = liveOf(nodes, roots)
  const untagged = new Map<string, Node>()
  for (const node of nodes) {
    const generationKey = manifestGenerationKey(repository, node.digest)
    if (!live.has(node.digest) || (await isLeftover(collection.storage, generationKey, node)))
      untagged.set(node.key, node)
  }
  return untagged
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

/** Everything reachable from the roots and young manifests: through indexes, and from subjects to referrers. */
function liveOf(
  nodes: readonly (Node & { young: boolean })[],
  roots: readonly Digest[],
): ReadonlySet<Digest> {
  const next = new Map<Digest, Digest[]>()
  const addEdges = (from: Digest, to: readonly Digest[]): void => {
    const known = next.get(from)
    if (known === undefined) next.set(from, [...to])
    else for (const digest of to) known.push(digest)
  }
  for (const { digest, manifests, subject } of nodes) {
    addEdges(digest, manifests)
    if (subject !== undefined) addEdges(subject, [digest])
  }
  const live = new Set<Digest>()
  // A missing subject does not keep its referrers.
  const existing = new Set(nodes.map(({ digest }) => digest))
  const queue = [...roots, ...nodes.filter(({ young }) => young).map(({ digest }) => digest)]
  for (let digest = queue.pop(); digest !== undefined; digest = queue.pop()) {
    if (live.has(digest) || !existing.has(digest)) continue
    live.add(digest)
    queue.push(...(next.get(digest) ?? []))
  }
  return live
}
