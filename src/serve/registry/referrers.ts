import { mapBounded } from '../../bytes/concurrency.ts'
import { isJsonObject, parseJson } from '../../bytes/json.ts'
import { readExactly } from '../../bytes/stream.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import type { Digest } from '../../types.ts'
import type { StoredInfo } from '../storage/port.ts'
import { answerJson } from '../http/answer.ts'
import type { Call, RegistryContext } from './context.ts'
import { referrersPrefix } from './keys.ts'
import type { CheckedManifest } from './manifest-check.ts'
import { formatLink, parsePageSize } from './paging.ts'
import { Refusal } from '../http/refusal.ts'

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'
/** Largest page: clients accept indexes up to 4 MiB, including the JSON around the descriptors. */
const PAGE_BYTES = 3.5 * 1024 * 1024
const PAGE_ENTRIES = 500
/** Descriptors read concurrently. */
const READS = 8
/** The end of a key: a digest, with a suffix for generations above 0. */
const LAST = /^sha\d{3}:[0-9a-f]+(?:\.\d+)?$/

/**
 * Formats the stored value of a referrer: its descriptor in the list.
 * @throws 413 for a descriptor that alone exceeds the size of a page.
 */
export function formatReferrer(
  { mediaType, artifactType, annotations }: CheckedManifest,
  digest: Digest,
  size: number,
): Uint8Array {
  const bytes = encodeUtf8(JSON.stringify({ mediaType, digest, size, artifactType, annotations }))
  if (bytes.length <= PAGE_BYTES) return bytes
  throw new Refusal(413, {
    code: 'SIZE_INVALID',
    message: `the annotations have more than ${PAGE_BYTES} bytes, which makes the list of referrers too large for clients: move the data into a layer`,
  })
}

/** The entries that fit into a page by their stored size, at least one. */
function fitting(entries: readonly StoredInfo[]): readonly StoredInfo[] {
  let bytes = 0
  const end = entries.findIndex(({ size }, i) => (bytes += size) > PAGE_BYTES && i > 0)
  return end < 0 ? entries : entries.slice(0, end)
}

/**
 * end-12a, 12b: `GET /v2/<name>/referrers/<digest>?artifactType=`. Lists manifests of this repository. Never
 * 404: without referrers the list is empty.
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
  const entries = fitting(page.entries)
  const texts = await mapBounded(entries, READS, async ({ key }) => {
    const value = await storage.get(key)
    return value === undefined
      ? undefined
      : readExactly(value.body, value.size, 'a stored referrer')
  })

  // A referrer can have two generations until the garbage collection has deleted the old one.
  const manifests = new Map<unknown, unknown>()
  for (const text of texts) {
    const entry = text === undefined ? undefined : parseJson(text, 'a stored referrer')
    if (isJsonObject(entry) && (artifactType === null || entry['artifactType'] === artifactType))
      manifests.set(entry['digest'], entry)
  }
  const lastSeen = entries.at(-1)?.key.slice(prefix.length).replace('/', ':')
  const more = page.more || entries.length < page.entries.length
  return answerJson(
    { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [...manifests.values()] },
    {
      'Content-Type': OCI_INDEX,
      'Cache-Control': 'no-cache',
      ...(artifactType !== null && { 'OCI-Filters-Applied': 'artifactType' }),
      ...(more && lastSeen !== undefined && { Link: formatLink(url, { last: lastSeen }) }),
    },
  )
}
