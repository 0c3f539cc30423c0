import { algorithmOf, hexOf, isDigest } from '../../bytes/digest.ts'
import type { Digest } from '../../types.ts'

/**
 * Keys in the storage.
 *
 * Blobs are stored once for all repositories. A repository has a link to each blob that was pushed to it or
 * mounted; without a link it cannot read the blob. No part of a repository name begins with `_`, so keys of
 * different repositories do not collide.
 *
 *     blobs/sha256/ab/abcd…                          content
 *     repositories/NAME/_blobs/sha256/abcd…          link, empty
 *     repositories/NAME/_manifests/sha256/abcd…      content type, subject, then the exact bytes
 *     repositories/NAME/_tags/TAG                    digest
 *     repositories/NAME/_referrers/SUBJECT/sha256/…  descriptor
 *     uploads/ID/NAME/_session                       state of an open upload
 *     uploads/ID/NAME/_part/0000000000000000         bytes from that offset on
 *     uploads/ID/NAME/_digest                        digest of the first part
 *     catalog/NAME                                   marker: the repository exists
 *     pending/ID                                     digests that a manifest push in progress needs
 *     generations/…                                  current generation of a blob or manifest
 *
 * Content that is pushed again after a garbage collection is another generation, under another key that ends
 * in `.1`, `.2` …, so that a late deletion does not affect it. @see generation.ts
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

/** Generations of a blob are shared by all repositories, those of a manifest belong to one. */
export const blobGenerationKey = (digest: Digest): string => `generations/blobs/${pathOf(digest)}`
export const manifestGenerationKey = (repository: string, digest: Digest): string =>
  `generations/manifests/${repository}/_${pathOf(digest)}`

/** Parses the end of the key of a blob, link, manifest or referrer; `undefined` for any other key. */
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
