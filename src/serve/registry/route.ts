import { isDigest } from '../../bytes/digest.ts'
import { isRepositoryName, isTag } from '../../oci/reference.ts'
import type { Digest } from '../../types.ts'
import { Refusal } from '../http/refusal.ts'

/** What a path means. @see OCI Distribution Spec 1.1, Endpoints */
export type Route =
  | { readonly kind: 'ping' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'tags'; readonly repository: string }
  | {
      readonly kind: 'manifest'
      readonly repository: string
      readonly reference: ManifestReference
    }
  | { readonly kind: 'blob'; readonly repository: string; readonly digest: Digest }
  | { readonly kind: 'uploads'; readonly repository: string }
  | { readonly kind: 'upload'; readonly repository: string; readonly id: string }
  | { readonly kind: 'referrers'; readonly repository: string; readonly digest: Digest }

export type ManifestReference = { readonly tag: string } | { readonly digest: Digest }

const UPLOAD_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Reads the raw path for a request's method. Nothing is decoded but `%3A`, which some clients write for the colon of a
 * digest: whatever else is encoded fits no grammar, so no spelling of `../` gets through.
 */
export function parseRoute(pathname: string, method: string): Route | undefined {
  const path = pathname.replaceAll(/%3a/gi, ':')
  if (path === '/v2' || path === '/v2/') return { kind: 'ping' }
  if (path === '/v2/_catalog') return { kind: 'catalog' }
  if (!path.startsWith('/v2/')) return undefined
  // Greedy: a repository may itself have "blobs" or "tags" as a component.
  const match =
    /^\/v2\/(.+)\/(?:(tags)\/list|(manifests|referrers|blobs\/uploads|blobs)\/([^/]*))$/.exec(path)
  if (match === null) return undefined
  const [, repository = '', tags, kind, last = ''] = match
  // `/v2/a/blobs/uploads` without its slash is an upload too for some clients.
  if (kind === 'blobs' && last === 'uploads')
    return { kind: 'uploads', repository: checkName(repository) }
  if (tags !== undefined) return { kind: 'tags', repository: checkName(repository) }
  checkName(repository)
  if (kind === 'manifests')
    return { kind: 'manifest', repository, reference: parseManifestReference(last, method) }
  if (kind === 'referrers') return { kind: 'referrers', repository, digest: checkDigest(last) }
  if (kind === 'blobs') return { kind: 'blob', repository, digest: checkDigest(last) }
  if (last === '') return { kind: 'uploads', repository }
  if (!UPLOAD_ID.test(last))
    throw new Refusal(404, {
      code: 'BLOB_UPLOAD_UNKNOWN',
      message: 'no such upload: begin another with POST',
    })
  return { kind: 'upload', repository, id: last }
}

export function checkDigest(value: string): Digest {
  if (isDigest(value)) return value
  throw new Refusal(400, {
    code: 'DIGEST_INVALID',
    message: 'not a digest of an algorithm that is supported: sha256 and sha512 are, in lower case',
    detail: { digest: value.slice(0, 200) },
  })
}

function checkName(name: string): string {
  if (isRepositoryName(name)) return name
  throw new Refusal(400, {
    code: 'NAME_INVALID',
    message:
      'not a repository name: lower-case letters and digits, joined by . _ - and /, up to 255',
    detail: { name: name.slice(0, 300) },
  })
}

/** Nothing can be stored under another name, so a read finds none: @see end-3 of the specification. */
function parseManifestReference(value: string, method: string): ManifestReference {
  if (isTag(value)) return { tag: value }
  if (value.includes(':')) return { digest: checkDigest(value) }
  const isRead = method === 'GET' || method === 'HEAD'
  throw new Refusal(isRead ? 404 : 400, {
    code: isRead ? 'MANIFEST_UNKNOWN' : 'MANIFEST_INVALID',
    message: 'neither a tag nor a digest: tags have letters, digits, . _ and -, up to 128',
    detail: { reference: value.slice(0, 300) },
  })
}
