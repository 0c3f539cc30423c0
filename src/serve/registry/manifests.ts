import { algorithmOf, digestOf } from '../../bytes/digest.ts'
import { mapBounded } from '../../bytes/concurrency.ts'
import { readBounded } from '../../bytes/stream.ts'
import { SpindleError } from '../../errors.ts'
import type { Digest } from '../../types.ts'
import { answerEmpty } from './answer.ts'
import { cachePolicy } from './blobs.ts'
import type { Call, RegistryContext } from './context.ts'
import { announcedSize, openBody, tooLarge } from './intake.ts'
import { catalogKey, linkKey, manifestKey, referrerKey } from './keys.ts'
import { checkManifest } from './manifest-check.ts'
import type { CheckedManifest } from './manifest-check.ts'
import { formatManifestRecord, readManifestRecord } from './manifest-record.ts'
import { matchesEtag } from './range.ts'
import { formatReferrer } from './referrers.ts'
import { Refusal } from './refusal.ts'
import { isTag } from './route.ts'
import type { ManifestReference } from './route.ts'
import { readTag, removeTagsTo, untag, writeTag } from './tags.ts'

/** Look-ups at once while references are checked. */
const CHECKS = 8
/** Tags that one push may set; the specification asks for ten at least. */
const MAX_TAGS = 100
/** Of what is missing, as many are named in the answer. */
const NAMED = 100

/** end-3: `GET` and `HEAD /v2/<name>/manifests/<tag-or-digest>`. `Accept` decides nothing: there is one form of each. */
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
    digest === undefined ? undefined : await readManifestRecord(context.storage, repository, digest)
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

/** end-7a, 7b: `PUT /v2/<name>/manifests/<tag-or-digest>`. The tag comes last, when all it points at is there. */
export async function pushManifest(
  context: RegistryContext,
  { request, url }: Call,
  repository: string,
  reference: ManifestReference,
): Promise<Response> {
  const { storage } = context
  const tags = tagsToSet(url, reference)
  const bytes = await readManifestBody(context, request)
  const digest = await digestOf(
    bytes,
    'digest' in reference ? algorithmOf(reference.digest) : 'sha256',
  )
  if ('digest' in reference && digest !== reference.digest) {
    throw new Refusal(400, {
      code: 'DIGEST_INVALID',
      message: 'the manifest has another digest than was said',
      detail: { promised: reference.digest, actual: digest },
    })
  }
  const manifest = checkManifest(bytes, request.headers.get('Content-Type'))
  if (!context.allowSparse) await checkReferences(context, repository, manifest)
  await keepManifest(context, repository, digest, manifest, bytes)
  for (const tag of tags) {
    await writeTag(storage, repository, tag, digest, request.headers)
    // Who deletes the manifest meanwhile removes its tags before or after this: see that it points at something.
    if ((await storage.head(manifestKey(repository, digest))) === undefined)
      await keepManifest(context, repository, digest, manifest, bytes)
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

/** end-9: `DELETE /v2/<name>/manifests/<tag-or-digest>`. A digest takes its tags along. */
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
  const record = await readManifestRecord(storage, repository, digest)
  if (record === undefined) throw unknownManifest(reference)
  if (record.subject !== undefined)
    await storage.delete(referrerKey(repository, record.subject, digest))
  await storage.delete(manifestKey(repository, digest))
  await removeTagsTo(storage, repository, digest)
  return answerEmpty(202)
}

async function readManifestBody(
  { maxManifestBytes }: RegistryContext,
  request: Request,
): Promise<Uint8Array> {
  if ((announcedSize(request) ?? 0) > maxManifestBytes) throw tooLarge()
  try {
    return await readBounded(openBody(request), maxManifestBytes, 'the manifest')
  } catch (error) {
    throw error instanceof SpindleError && error.code === 'ERR_LIMIT_EXCEEDED'
      ? tooLarge(error)
      : error
  }
}

function tagsToSet(url: URL, reference: ManifestReference): readonly string[] {
  if ('tag' in reference) return [reference.tag]
  const tags = [...new Set(url.searchParams.getAll('tag'))]
  if (tags.length > MAX_TAGS)
    throw new Refusal(414, {
      code: 'UNSUPPORTED',
      message: `more than ${MAX_TAGS} tags in one request`,
    })
  const wrong = tags.find((tag) => !isTag(tag))
  if (wrong !== undefined)
    throw new Refusal(400, {
      code: 'MANIFEST_INVALID',
      message: 'not a tag: letters, digits, . _ and -, up to 128',
      detail: { tag: wrong.slice(0, 300) },
    })
  return tags
}

/** The subject may be missing; all else must be in this repository. */
async function checkReferences(
  { storage }: RegistryContext,
  repository: string,
  { blobs, manifests }: CheckedManifest,
): Promise<void> {
  const keys = new Map<string, Digest>()
  for (const digest of blobs) keys.set(linkKey(repository, digest), digest)
  for (const digest of manifests) keys.set(manifestKey(repository, digest), digest)
  const found = await mapBounded([...keys], CHECKS, async ([key, digest]) =>
    (await storage.head(key)) === undefined ? digest : undefined,
  )
  const missing = found.filter((digest) => digest !== undefined)
  if (missing.length === 0) return
  throw new Refusal(
    404,
    missing.slice(0, NAMED).map((digest) => ({
      code: 'MANIFEST_BLOB_UNKNOWN',
      message: 'the manifest refers to what is not in this repository: push that first',
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
  await storage.put(catalogKey(repository), new Uint8Array(0), { ifAbsent: true })
  const record = formatManifestRecord({
    mediaType,
    bytes,
    ...(subject !== undefined && { subject }),
  })
  const { stored } = await storage.put(manifestKey(repository, digest), record, { ifAbsent: true })
  // Bytes without "mediaType" inside could come as two things: the first to push them said what they are.
  const before = stored ? undefined : await readManifestRecord(storage, repository, digest)
  if (before !== undefined && before.mediaType !== mediaType) {
    throw new Refusal(400, {
      code: 'MANIFEST_INVALID',
      message: `the same bytes are here as ${before.mediaType}`,
    })
  }
  if (subject !== undefined)
    await storage.put(
      referrerKey(repository, subject, digest),
      formatReferrer(manifest, digest, bytes.length),
      { ifAbsent: true },
    )
}

function unknownManifest(reference: ManifestReference): Refusal {
  return new Refusal(404, {
    code: 'MANIFEST_UNKNOWN',
    message: 'no such manifest in this repository',
    detail: reference,
  })
}
