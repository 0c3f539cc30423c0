import { algorithmOf, hexOf } from '../../bytes/digest.ts'
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
 */

export function blobKey(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest).slice(0, 2)}/${hexOf(digest)}`
}

export const linkKey = (repository: string, digest: Digest): string =>
  `repositories/${repository}/_blobs/${pathOf(digest)}`
export const linksPrefix = (repository: string): string => `repositories/${repository}/_blobs/`

export const manifestKey = (repository: string, digest: Digest): string =>
  `repositories/${repository}/_manifests/${pathOf(digest)}`
export const manifestsPrefix = (repository: string): string =>
  `repositories/${repository}/_manifests/`

export const tagKey = (repository: string, tag: string): string => `${tagsPrefix(repository)}${tag}`
export const tagsPrefix = (repository: string): string => `repositories/${repository}/_tags/`

export const referrersPrefix = (repository: string, subject: Digest): string =>
  `repositories/${repository}/_referrers/${pathOf(subject)}/`
export const referrerKey = (repository: string, subject: Digest, digest: Digest): string =>
  `${referrersPrefix(repository, subject)}${pathOf(digest)}`

export const UPLOADS_PREFIX = 'uploads/'
export const uploadPrefix = (id: string, repository: string): string =>
  `${UPLOADS_PREFIX}${id}/${repository}/_`

export const CATALOG_PREFIX = 'catalog/'
export const catalogKey = (repository: string): string => `${CATALOG_PREFIX}${repository}`

function pathOf(digest: Digest): string {
  return digest.replace(':', '/')
}
