import { algorithmOf, hexOf, isDigest } from '../../bytes/digest.ts'
import type { Digest } from '../../types.ts'

/**
 * Where things are in the storage.
 *
 * Content is kept once for all repositories; a repository has a link to each blob that was pushed
 * or mounted there, and without one can't read it. Names that begin with `_` can't be part of a
 * repository's name, so no repository reaches into another's.
 *
 *     blobs/sha256/ab/abcd…                          content
 *     repositories/NAME/_blobs/sha256/abcd…          link, empty
 *     repositories/NAME/_manifests/sha256/abcd…      content type, subject, then the exact bytes
 *     repositories/NAME/_tags/TAG                    digest
 *     repositories/NAME/_referrers/SUBJECT/sha256/…  descriptor
 *     uploads/ID/NAME/_session                       that it is open
 *     uploads/ID/NAME/_part/0000000000000000         bytes from that offset on
 *     uploads/ID/NAME/_digest                        digest of the first part
 *     catalog/NAME                                   that something was pushed there
 *     pending/ID                                     what a push of a manifest that is under way needs
 *     generations/…                                  which generation of a blob or manifest counts
 *
 * What was collected as garbage and comes again is another generation of it, under another key,
 * ending in `.1`, `.2` …: a deletion that comes late can't meet it. @see generation.ts
 */

export function blobKey(digest: Digest, generation = 0): string {
  const hex = hexOf(digest)
  return `${BLOBS_PREFIX}${algorithmOf(digest)}/${hex.slice(0, 2)}/${hex}${suffixOf(generation)}`
}

export const BLOBS_PREFIX = 'blobs/'
export const REPOSITORIES_PREFIX = 'repositories/'

export const linkKey = (repository: string, digest: Digest, generation = 0): string =>
  `${linksPrefix(repository)}${pathOf(digest)}${suffixOf(generation)}`
export const linksPrefix = (repository: string): string =>
  `${REPOSITORIES_PREFIX}${repository}/_blobs/`

export const manifestKey = (repository: string, digest: Digest, generation = 0): string =>
  `${manifestsPrefix(repository)}${pathOf(digest)}${suffixOf(generation)}`
export const manifestsPrefix = (repository: string): string =>
  `${REPOSITORIES_PREFIX}${repository}/_manifests/`

export const tagKey = (repository: string, tag: string): string => `${tagsPrefix(repository)}${tag}`
export const tagsPrefix = (repository: string): string =>
  `${REPOSITORIES_PREFIX}${repository}/_tags/`

export const referrersPrefix = (repository: string, subject: Digest): string =>
  `${REPOSITORIES_PREFIX}${repository}/_referrers/${pathOf(subject)}/`
export const referrerKey = (
  repository: string,
  subject: Digest,
  digest: Digest,
  generation = 0,
): string => `${referrersPrefix(repository, subject)}${pathOf(digest)}${suffixOf(generation)}`

export const UPLOADS_PREFIX = 'uploads/'
export const uploadPrefix = (id: string, repository: string): string =>
  `${UPLOADS_PREFIX}${id}/${repository}/_`

export const CATALOG_PREFIX = 'catalog/'
export const catalogKey = (repository: string): string => `${CATALOG_PREFIX}${repository}`

export const PENDING_PREFIX = 'pending/'

/** The generations of a blob are counted for all repositories, those of a manifest for its own. */
export const blobGenerationKey = (digest: Digest): string => `generations/blobs/${pathOf(digest)}`
export const manifestGenerationKey = (repository: string, digest: Digest): string =>
  `generations/manifests/${repository}/_${pathOf(digest)}`

/** What a key of content, a link, a manifest or a referrer ends in; `undefined` for any other. */
export function parseContentKey(key: string): { digest: Digest; generation: number } | undefined {
  const match = /\/(sha256|sha512)(?:\/[0-9a-f]{2})?\/([0-9a-f]+)(?:\.([1-9]\d{0,9}))?$/.exec(key)
  const digest = match === null ? undefined : `${match[1]}:${match[2]}`
  return isDigest(digest) ? { digest, generation: Number(match![3] ?? 0) } : undefined
}

function suffixOf(generation: number): string {
  return generation === 0 ? '' : `.${generation}`
}

function pathOf(digest: Digest): string {
  return digest.replace(':', '/')
}
