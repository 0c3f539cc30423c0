import { SpindleError } from '../errors.ts'
import { digestOf } from '../bytes/digest.ts'
import { formatCanonicalJson, isJsonObject, parseLooseJson } from '../bytes/json.ts'
import { wait } from '../http/timing.ts'
import { IMAGE_INDEX, parseManifest } from '../oci/manifest.ts'
import { referrersTag } from '../oci/reference.ts'
import type { Descriptor, Digest, OperationOptions } from '../types.ts'
import type { RepositoryContext } from './context.ts'
import { deleteManifest, getManifest, isNotFound, putManifest } from './manifests.ts'

/**
 * Most attempts to append: concurrent writers overwrite each other, so each reads the list again
 * afterwards.
 */
const MAX_ROUNDS = 8
/** Milliseconds that reading and writing the list take, roughly. */
const SETTLE_MS = 80

/**
 * The index under the referrers tag; empty if there is none. `entries` are unchanged, with unknown
 * members.
 * @see Distribution Spec 1.1, Referrers Tag Schema
 */
export async function readReferrersTag(
  context: RepositoryContext,
  subject: Digest,
  options: OperationOptions,
): Promise<{ entries: readonly unknown[]; descriptors: readonly Descriptor[]; digest?: Digest }> {
  const tag = referrersTag(subject)
  try {
    const { descriptor, bytes } = await getManifest(context, tag, options)
    const what = `the list of referrers under ${tag}`
    const index = parseManifest(bytes, descriptor.mediaType, what)
    const document = parseLooseJson(bytes, what)
    if (index.kind !== 'index' || !isJsonObject(document))
      throw new SpindleError('ERR_CONTENT_INVALID', `${what} is not an index; remove that tag`)
    return {
      entries: document['manifests'] as readonly unknown[],
      descriptors: index.manifests,
      digest: descriptor.digest,
    }
  } catch (error) {
    if (isNotFound(error)) return { entries: [], descriptors: [] }
    throw error
  }
}

/** Queues of this process by list, so that its own appends do not race. */
const queues = new Map<string, Promise<void>>()

/** Adds a referrer to the list, and checks that no other writer has removed it. */
export async function addToReferrersTag(
  context: RepositoryContext,
  subject: Digest,
  referrer: Descriptor,
  options: OperationOptions,
): Promise<void> {
  const { registry, repository } = context.reference
  const key = `${registry}/${repository}@${subject}`
  const turn = (queues.get(key) ?? Promise.resolve()).then(() =>
    append(context, subject, referrer, options),
  )
  const settled = turn.catch(() => {})
  queues.set(key, settled)
  try {
    await turn
  } finally {
    if (queues.get(key) === settled) queues.delete(key)
  }
}

async function append(
  context: RepositoryContext,
  subject: Digest,
  referrer: Descriptor,
  options: OperationOptions,
): Promise<void> {
  for (let round = 0; round <= MAX_ROUNDS; round++) {
    // By then another process that read the list before this one wrote it has written too.
    if (round > 0) await wait(SETTLE_MS * (0.5 + round * Math.random()), options.signal)
    const { entries, descriptors } = await readReferrersTag(context, subject, options)
    if (descriptors.some(({ digest }) => digest === referrer.digest)) return
    if (round < MAX_ROUNDS)
      await writeReferrersTag(context, subject, [...entries, referrer], options)
  }
  throw new SpindleError(
    'ERR_CONFLICT',
    `${referrer.digest} was pushed, but other writers kept overwriting the list of referrers ${referrersTag(subject)}; push it again`,
  )
}

/** Removes a referrer from the list; deletes the list if it is empty then. */
export async function removeFromReferrersTag(
  context: RepositoryContext,
  subject: Digest,
  referrer: Digest,
  options: OperationOptions,
): Promise<void> {
  const { entries, descriptors, digest } = await readReferrersTag(context, subject, options)
  const rest = entries.filter((_, index) => descriptors[index]?.digest !== referrer)
  if (rest.length === entries.length) return
  if (rest.length > 0) return writeReferrersTag(context, subject, rest, options)
  if (digest !== undefined) await deleteManifest(context, digest, options)
}

async function writeReferrersTag(
  context: RepositoryContext,
  subject: Digest,
  manifests: readonly unknown[],
  options: OperationOptions,
): Promise<void> {
  const bytes = formatCanonicalJson({ schemaVersion: 2, mediaType: IMAGE_INDEX, manifests })
  const descriptor = { mediaType: IMAGE_INDEX, digest: await digestOf(bytes), size: bytes.length }
  await putManifest(context, { descriptor, bytes }, referrersTag(subject), options)
}
