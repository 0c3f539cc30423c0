import { mapBounded } from '../../bytes/concurrency.ts'
import { isJsonObject, parseJson } from '../../bytes/json.ts'
import { readExactly } from '../../bytes/stream.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import type { Digest } from '../../types.ts'
import { answerJson } from './answer.ts'
import type { Call, RegistryContext } from './context.ts'
import { referrersPrefix } from './keys.ts'
import type { CheckedManifest } from './manifest-check.ts'
import { formatLink, parsePageSize } from './paging.ts'

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'
/** Clients read indexes up to 4 MiB; a page must fit with its frame. */
const PAGE_BYTES = 3.5 * 1024 * 1024
const PAGE_ENTRIES = 500
/** Descriptors read at once. */
const READS = 8
/** The end of a key; a digest, unless it was collected and pushed again. */
const LAST = /^sha\d{3}:[0-9a-f]+(?:\.\d+)?$/

/** What is kept for each referrer: its descriptor as the list will show it. */
export function formatReferrer(
  { mediaType, artifactType, annotations }: CheckedManifest,
  digest: Digest,
  size: number,
): Uint8Array {
  return encodeUtf8(JSON.stringify({ mediaType, digest, size, artifactType, annotations }))
}

/**
 * end-12a, 12b: `GET /v2/<name>/referrers/<digest>?artifactType=`. Never 404: without referrers the
 * list is empty. Only manifests of this repository are in it.
 */
export async function listReferrers(
  { storage }: RegistryContext,
  { url }: Call,
  repository: string,
  subject: Digest,
): Promise<Response> {
  const prefix = referrersPrefix(repository, subject)
  const artifactType = url.searchParams.get('artifactType')
  const last = url.searchParams.get('last')
  const limit = Math.min(parsePageSize(url) ?? PAGE_ENTRIES, PAGE_ENTRIES)
  const page = await storage.list(prefix, {
    limit: Math.max(limit, 1),
    ...(last !== null && LAST.test(last) && { after: `${prefix}${last.replace(':', '/')}` }),
  })
  const texts = await mapBounded(page.entries, READS, async ({ key }) => {
    const value = await storage.get(key)
    return value === undefined
      ? undefined
      : readExactly(value.body, value.size, 'a stored referrer')
  })

  const manifests: unknown[] = []
  let bytes = 0
  let seen = 0
  const digests = new Set<unknown>()
  for (const text of texts) {
    const entry = text === undefined ? undefined : parseJson(text, 'a stored referrer')
    const wanted =
      isJsonObject(entry) &&
      !digests.has(entry['digest']) &&
      (artifactType === null || entry['artifactType'] === artifactType)
    if (wanted && manifests.length > 0 && bytes + text!.length > PAGE_BYTES) break
    seen++
    if (!wanted) continue
    bytes += text!.length
    digests.add(entry['digest'])
    manifests.push(entry)
  }
  const lastSeen = page.entries[seen - 1]?.key.slice(prefix.length).replace('/', ':')
  const more = page.more || seen < page.entries.length
  return answerJson(
    { schemaVersion: 2, mediaType: OCI_INDEX, manifests },
    {
      'Content-Type': OCI_INDEX,
      'Cache-Control': 'no-cache',
      ...(artifactType !== null && { 'OCI-Filters-Applied': 'artifactType' }),
      ...(more && lastSeen !== undefined && { Link: formatLink(url, { last: lastSeen }) }),
    },
  )
}
