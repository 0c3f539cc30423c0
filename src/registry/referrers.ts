import { ResponseError } from '../errors.ts'
import { discard, readBody } from '../http/response-body.ts'
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

/** Origins of registries whose referrers API has listed a pushed manifest. */
const proven = new WeakMap<Transport, Set<string>>()

/**
 * Lists the referrers of a manifest: from the API, else from the referrers tag; with `everywhere`
 * from both.
 *
 * Clients write the descriptors under the tag, some incompletely (cosign 3.1 omits type and
 * annotations), so each manifest is read.
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
  let hasApi = false
  for await (const page of listByApi(context, subject.digest, options)) {
    hasApi = true
    for (const referrer of page)
      if ((artifactType === undefined || referrer.artifactType === artifactType) && isNew(referrer))
        yield referrer
  }
  if (hasApi && options.everywhere !== true) return
  const { descriptors } = await readReferrersTag(context, subject.digest, options)
  for (const candidate of descriptors) {
    if (!isNew(candidate) || !isManifestType(candidate.mediaType)) continue
    const referrer = await readReferrer(context, candidate, subject.digest, options)
    if (
      referrer !== undefined &&
      (artifactType === undefined || referrer.artifactType === artifactType)
    )
      yield referrer
  }
}

/**
 * A candidate as its manifest describes it; `undefined` if it was deleted or has another subject.
 */
async function readReferrer(
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
    // Deleted, while the list was left unchanged.
    if (isNotFound(error)) return undefined
    throw error
  }
}

/** Pages of the referrers API; none if the registry does not have it. */
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
      // GHCR redirects this to a page of github.com (artifacthub #4785).
      sameOrigin: true,
      signal,
    }
    try {
      return await withRetries(transport, { signal }, async () => {
        const response = await transport.fetch(request)
        const isElsewhere = response.redirected && new URL(response.url).origin !== base.origin
        if (!isElsewhere && response.status === 200 && mediaTypeOf(response) === IMAGE_INDEX)
          return { response, bytes: await readBody(response, MAX_MANIFEST_BYTES, what, signal) }
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
 * Makes a pushed referrer discoverable: adds it to the referrers tag unless the API lists it.
 *
 * `OCI-Subject` alone proves nothing: ECR sent it without having the API (sigstore-js #1183), and
 * Quay accepts referrers but lists none.
 * @param hasSubject Whether the registry sent `OCI-Subject`.
 */
export async function announceReferrer(
  context: RepositoryContext,
  subject: Digest,
  referrer: Descriptor,
  hasSubject: boolean,
  options: OperationOptions,
): Promise<void> {
  const { transport } = context
  const base = await context.base(options.signal)
  const origins = proven.get(transport) ?? new Set()
  if (hasSubject && origins.has(base.origin)) return
  try {
    for await (const page of listByApi(context, subject, options)) {
      if (!page.some(({ digest }) => digest === referrer.digest)) continue
      proven.set(transport, origins.add(base.origin))
      return
    }
  } catch (error) {
    // Credentials that allow pushing but not reading can't list. `OCI-Subject` is trusted then, as
    // oras does.
    if (hasSubject && error instanceof ResponseError && error.code === 'ERR_UNAUTHORIZED') return
    throw error
  }
  await addToReferrersTag(context, subject, referrer, options)
}
