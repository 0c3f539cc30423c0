import { algorithmOf, digestOf } from '../../bytes/digest.ts'
import { mapBounded } from '../../bytes/concurrency.ts'
import type { Digest } from '../../types.ts'
import { listAll } from '../storage/port.ts'
import { answerEmpty } from '../http/answer.ts'
import { cachePolicy, RENEWAL } from './blobs.ts'
import type { Call, RegistryContext } from './context.ts'
import { announcedSize, openBody, tooLarge } from '../http/intake.ts'
import { holdGeneration } from '../storage/generation.ts'
import {
  blobGenerationKey,
  catalogKey,
  linkKey,
  manifestGenerationKey,
  manifestKey,
  referrerKey,
} from './keys.ts'
import { checkManifest } from './manifest-check.ts'
import type { CheckedManifest } from './manifest-check.ts'
import { findManifest, formatManifestRecord, readManifestRecord } from './manifest-record.ts'
import { mentionedDigests } from './mentioned-digests.ts'
import { announcePush } from './pending.ts'
import { matchesEtag } from './range.ts'
import { formatReferrer } from './referrers.ts'
import { Refusal } from '../http/refusal.ts'
import { isTag } from '../../oci/reference.ts'
import type { ManifestReference } from './route.ts'
import { readTag, removeTagsTo, untag, writeTag } from './tags.ts'

/** Concurrent look-ups of the references of a manifest. */
const CHECKS = 16
/** Most tags of one push; the specification requires at least ten. */
const MAX_TAGS = 100
/** Most missing digests listed in an error response. */
const NAMED = 100

/** end-3: `GET` and `HEAD /v2/<name>/manifests/<tag-or-digest>`. Ignores `Accept`: a manifest has one media type. */
export async function pullManifest(
  context: RegistryContext,
  { request }: Call,
  repository: string,
  reference: ManifestReference,
): Promise<Response> {
  const digest =
    'digest' in reference
      ? reference.digest
      : await readTag(context.storage, repository, reference.tag)
  const record =
    digest === undefined ? undefined : await findManifest(context.storage, repository, digest)
  if (digest === undefined || record === undefined) throw unknownManifest(reference)
  const etag = `"${digest}"`
  const headers = new Headers({
    'Docker-Content-Digest': digest,
    ETag: etag,
    'Cache-Control': 'digest' in reference ? cachePolicy(context) : 'no-cache',
  })
  if (matchesEtag(request.headers.get('If-None-Match'), etag))
    return new Response(null, { status: 304, headers })
  headers.set('Content-Type', record.mediaType)
  headers.set('Content-Length', String(record.bytes.length))
  return new Response(record.bytes as Uint8Array<ArrayBuffer>, { status: 200, headers })
}

/** end-7a, 7b: `PUT /v2/<name>/manifests/<tag-or-digest>`. Writes the tag last, after the manifest. */
export async function pushManifest(
  context: RegistryContext,
  { request, url }: Call,
  repository: string,
  reference: ManifestReference,
): Promise<Response> {
  const tags = tagsToSet(url, reference)
  const { bodies, maxManifestBytes } = context
  if ((announcedSize(request) ?? 0) > maxManifestBytes) throw tooLarge()
  const { bytes, release } = await bodies.receive(openBody(request), maxManifestBytes)
  try {
    return await acceptManifest(context, request, repository, reference, tags, bytes)
  } finally {
    release()
  }
}

async function acceptManifest(
  context: RegistryContext,
  request: Request,
  repository: string,
  reference: ManifestReference,
  tags: readonly string[],
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Response> {
  const { storage } = context
  const digest = await digestOf(
    bytes,
    'digest' in reference ? algorithmOf(reference.digest) : 'sha256',
  )
  if ('digest' in reference && digest !== reference.digest) {
    throw new Refusal(400, {
      code: 'DIGEST_INVALID',
      message: 'the manifest does not match the digest in the URL',
      detail: { promised: reference.digest, actual: digest },
    })
  }
  const manifest = checkManifest(bytes, request.headers.get('Content-Type'))
  const note = await announcePush(storage, {
    repository,
    digest,
    mentioned: [...mentionedDigests(bytes)],
    manifests: manifest.manifests,
  })
  try {
    const missing = await holdReferences(context, repository, manifest)
    if (missing.length > 0 && !context.allowSparse) throw unknownReferences(missing)
    await keepManifest(context, repository, digest, manifest, bytes)
    for (const tag of tags) {
      await writeTag(storage, repository, tag, digest, request.headers)
      // A concurrent deletion of the manifest may have missed this tag: store the manifest again.
      if ((await findManifest(storage, repository, digest)) === undefined)
        await keepManifest(context, repository, digest, manifest, bytes)
    }
  } finally {
    // If this fails, the garbage collection removes the note.
    await storage.delete(note).catch(() => {})
  }
  const headers = new Headers({
    Location: `/v2/${repository}/manifests/${digest}`,
    'Docker-Content-Digest': digest,
    'Content-Length': '0',
  })
  if (manifest.subject !== undefined) headers.set('OCI-Subject', manifest.subject)
  for (const tag of tags) headers.append('OCI-Tag', tag)
  return new Response(null, { status: 201, headers })
}

/** end-9: `DELETE /v2/<name>/manifests/<tag-or-digest>`. Deleting a digest also removes its tags. */
export async function deleteManifest(
  context: RegistryContext,
  repository: string,
  reference: ManifestReference,
): Promise<Response> {
  const { storage } = context
  if ('tag' in reference) {
    if (!(await untag(storage, repository, reference.tag))) throw unknownManifest(reference)
    return answerEmpty(202)
  }
  const { digest } = reference
  const record = await findManifest(storage, repository, digest)
  if (record === undefined) throw unknownManifest(reference)
  // Delete all generations, so that one that is swept but not yet deleted does not become visible.
  const first = [manifestKey(repository, digest)]
  if (record.subject !== undefined) first.unshift(referrerKey(repository, record.subject, digest))
  for (const prefix of first)
    for await (const { key } of listAll(storage, prefix)) await storage.delete(key)
  await removeTagsTo(storage, repository, digest)
  return answerEmpty(202)
}

function tagsToSet(url: URL, reference: ManifestReference): readonly string[] {
  if ('tag' in reference) return [reference.tag]
  const tags = [...new Set(url.searchParams.getAll('tag'))]
  if (tags.length > MAX_TAGS)
    throw new Refusal(414, {
      code: 'UNSUPPORTED',
      message: `the request has ${tags.length} tags, more than the limit of ${MAX_TAGS}`,
    })
  const wrong = tags.find((tag) => !isTag(tag))
  if (wrong !== undefined)
    throw new Refusal(400, {
      code: 'MANIFEST_INVALID',
      message:
        'invalid tag: up to 128 letters, digits, ".", "_" and "-", not starting with "." or "-"',
      detail: { tag: wrong.slice(0, 300) },
    })
  return tags
}

/**
 * Prevents the content that a manifest refers to from being swept. Returns what is missing in the
 * repository, except for the subject, which is allowed to be missing.
 */
async function holdReferences(
  { storage }: RegistryContext,
  repository: string,
  { blobs, manifests }: CheckedManifest,
): Promise<Digest[]> {
  const wanted = new Map<string, { digest: Digest; keyOf: typeof linkKey }>()
  for (const digest of blobs) wanted.set(blobGenerationKey(digest), { digest, keyOf: linkKey })
  for (const digest of manifests)
    wanted.set(manifestGenerationKey(repository, digest), { digest, keyOf: manifestKey })
  const found = await mapBounded([...wanted], CHECKS, async ([place, { digest, keyOf }]) => {
    const key = keyOf(repository, digest, await holdGeneration(storage, place))
    return (await storage.head(key)) === undefined ? digest : undefined
  })
  return found.filter((digest) => digest !== undefined)
}

function unknownReferences(missing: readonly Digest[]): Refusal {
  return new Refusal(
    404,
    missing.slice(0, NAMED).map((digest) => ({
      code: 'MANIFEST_BLOB_UNKNOWN',
      message: 'the manifest refers to content that is not in this repository: push it first',
      detail: { digest },
    })),
  )
}

async function keepManifest(
  { storage }: RegistryContext,
  repository: string,
  digest: Digest,
  manifest: CheckedManifest,
  bytes: Uint8Array,
): Promise<void> {
  const { mediaType, subject } = manifest
  const referrer =
    subject === undefined
      ? undefined
      : { subject, bytes: formatReferrer(manifest, digest, bytes.length) }
  await storage.put(catalogKey(repository), new Uint8Array(0), { ifAbsent: true })
  const record = formatManifestRecord({
    mediaType,
    bytes,
    ...(subject !== undefined && { subject }),
  })
  const generation = await holdGeneration(storage, manifestGenerationKey(repository, digest))
  const key = manifestKey(repository, digest, generation)
  const { stored } = await storage.put(key, record, { ifAbsent: true })
  // Bytes without "mediaType" could be pushed with two types: the first push determines the type.
  const before = stored ? undefined : await readManifestRecord(storage, key)
  if (before !== undefined && before.mediaType !== mediaType) {
    throw new Refusal(400, {
      code: 'MANIFEST_INVALID',
      message: `the same manifest already exists with the media type ${before.mediaType}`,
    })
  }
  if (before !== undefined && Date.now() - ((await storage.head(key))?.modified ?? 0) > RENEWAL)
    await storage.put(key, record)
  if (referrer !== undefined)
    await storage.put(
      referrerKey(repository, referrer.subject, digest, generation),
      referrer.bytes,
      { ifAbsent: true },
    )
}

function unknownManifest(reference: ManifestReference): Refusal {
  return new Refusal(404, {
    code: 'MANIFEST_UNKNOWN',
    message: 'the manifest does not exist in this repository',
    detail: reference,
  })
}
