import { ResponseError } from '../errors.ts'
import { discard, readWhole } from '../http/response-body.ts'
import { withRetries } from '../http/retry.ts'
import {
  IMAGE_INDEX,
  isManifestType,
  MAX_MANIFEST_BYTES,
  parseManifest,
  referrerDescriptor,
} from '../oci/manifest.ts'
import type { Descriptor, Digest, OperationOptions, Transport } from '../types.ts'
import type { RepositoryContext } from './context.ts'
import { getManifest, isNotFound, mediaTypeOf } from './manifests.ts'
import { type Page, walkPages } from './paging.ts'
import { addToReferrersTag, readReferrersTag } from './referrers-tag.ts'

/** Registries that were seen to list what was pushed, by origin. */
const proven = new WeakMap<Transport, Set<string>>()

/**
 * What refers to a manifest: by the API, or else by the tag; by both if `everywhere`.
 *
 * The descriptors under a tag were written by clients, and not all of them well (cosign 3.1 leaves
 * out type and annotations), so each manifest is looked at.
 * @see Distribution Spec 1.1, Listing Referrers
 */
export async function* listReferrers(
  context: RepositoryContext,
  subject: Descriptor,
  options: OperationOptions & { artifactType?: string; everywhere?: boolean },
): AsyncGenerator<Descriptor> {
  const { artifactType } = options
  const seen = new Set<Digest>()
  const isNew = ({ digest }: Descriptor): boolean =>
    !seen.has(digest) && seen.add(digest) !== undefined
  let answered = false
  for await (const page of listByApi(context, subject.digest, options)) {
    answered = true
    for (const referrer of page)
      if ((artifactType === undefined || referrer.artifactType === artifactType) && isNew(referrer))
        yield referrer
  }
  if (answered && options.everywhere !== true) return
  const { descriptors } = await readReferrersTag(context, subject.digest, options)
  for (const candidate of descriptors) {
    if (!isNew(candidate) || !isManifestType(candidate.mediaType)) continue
    const referrer = await examine(context, candidate, subject.digest, options)
    if (
      referrer !== undefined &&
      (artifactType === undefined || referrer.artifactType === artifactType)
    )
      yield referrer
  }
}

/** A candidate as its own manifest describes it; `undefined` when it is gone or refers elsewhere. */
async function examine(
  context: RepositoryContext,
  candidate: Descriptor,
  subject: Digest,
  options: OperationOptions,
): Promise<Descriptor | undefined> {
  if (candidate.size > MAX_MANIFEST_BYTES) return undefined
  try {
    const { bytes } = await getManifest(context, candidate.digest, options, candidate)
    const manifest = parseManifest(bytes, candidate.mediaType, `the referrer ${candidate.digest}`)
    return manifest.subject?.digest === subject
      ? referrerDescriptor(candidate, manifest)
      : undefined
  } catch (error) {
    // Deleted since, by somebody who left the list as it was.
    if (isNotFound(error)) return undefined
    throw error
  }
}

/** The API's pages; none at all when there is no such API. */
async function* listByApi(
  context: RepositoryContext,
  subject: Digest,
  { signal, artifactType }: OperationOptions & { artifactType?: string },
): AsyncGenerator<readonly Descriptor[]> {
  const { transport, scope } = context
  const base = await context.base(signal)
  const first = new URL(`referrers/${subject}`, base)
  if (artifactType !== undefined) first.searchParams.set('artifactType', artifactType)
  const what = `the referrers of ${subject}`
  const open = async (url: URL): Promise<Page | undefined> => {
    const request = {
      url,
      headers: { accept: IMAGE_INDEX },
      scope: scope('pull'),
      // GHCR sends this to a page of github.com (artifacthub #4785).
      sameOrigin: true,
      signal,
    }
    try {
      return await withRetries(transport, { signal }, async () => {
        const response = await transport.fetch(request)
        const left = response.redirected && new URL(response.url).origin !== base.origin
        if (!left && response.status === 200 && mediaTypeOf(response) === IMAGE_INDEX)
          return { response, bytes: await readWhole(response, MAX_MANIFEST_BYTES, what, signal) }
        discard(response)
        return undefined
      })
    } catch (error) {
      if (isWithoutApi(error)) return undefined
      throw error
    }
  }
  for await (const bytes of walkPages(first, open)) {
    const index = parseManifest(bytes, IMAGE_INDEX, what)
    yield index.kind === 'index' ? index.manifests : []
  }
}

/**
 * Whether a failure means that the registry lacks the referrers API. Not when it refuses access or
 * is busy: treating that as "no referrers" would hide signatures.
 */
function isWithoutApi(error: unknown): boolean {
  return (
    error instanceof ResponseError && ![401, 403, 429].includes(error.status) && error.status < 500
  )
}

/**
 * Sees to it that a pushed referrer is found: by the API if that lists it, else under the tag.
 *
 * `OCI-Subject` alone proves nothing: ECR sent it without having the API (sigstore-js #1183), and
 * Quay takes referrers and lists none.
 * @param noted Whether the registry sent `OCI-Subject`.
 */
export async function announceReferrer(
  context: RepositoryContext,
  subject: Digest,
  referrer: Descriptor,
  noted: boolean,
  options: OperationOptions,
): Promise<void> {
  const { transport } = context
  const base = await context.base(options.signal)
  const origins = proven.get(transport) ?? new Set()
  if (noted && origins.has(base.origin)) return
  try {
    for await (const page of listByApi(context, subject, options)) {
      if (!page.some(({ digest }) => digest === referrer.digest)) continue
      proven.set(transport, origins.add(base.origin))
      return
    }
  } catch (error) {
    // Who may push but not read can't look: then the registry's word has to do, as for oras.
    if (noted && error instanceof ResponseError && error.code === 'ERR_UNAUTHORIZED') return
    throw error
  }
  await addToReferrersTag(context, subject, referrer, options)
}
