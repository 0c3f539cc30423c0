import { isDigest } from '../../bytes/digest.ts'
import { isRepositoryName, isTag } from '../../oci/reference.ts'
import type { Digest } from '../../types.ts'
import { Refusal } from '../http/refusal.ts'

/** A parsed path. @see OCI Distribution Spec 1.1, Endpoints */
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

/** The last part of the path of a manifest. */
export type ManifestReference = { readonly tag: string } | { readonly digest: Digest }

const UPLOAD_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Parses the raw path of a request. Decodes only `%3A`, which some clients send for the colon of a digest.
 * Other encoded characters match no grammar, so no encoding of `../` is accepted.
 */
export function parseRoute(pathname: string, method: string): Route | undefined {
  const path = pathname.replaceAll(/%3a/gi, ':')
  if (path === '/v2' || path === '/v2/') return { kind: 'ping' }
  if (path === '/v2/_catalog') return { kind: 'catalog' }
  if (!path.startsWith('/v2/')) return undefined
  // Greedy: "blobs" or "tags" can be a component of the repository name.
  const match =
    /^\/v2\/(.+)\/(?:(tags)\/list|(manifests|referrers|blobs\/uploads|blobs)\/([^/]*))$/.exec(path)
  if (match === null) return undefined
  const [, repository = '', tags, kind, last = ''] = match
  // Some clients omit the final slash of `/v2/a/blobs/uploads/`.
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
      message: 'the upload does not exist: start another one with POST',
    })
  return { kind: 'upload', repository, id: last }
}

/** @throws 400 for an unsupported or invalid digest. */
export function checkDigest(value: string): Digest {
  if (isDigest(value)) return value
  throw new Refusal(400, {
    code: 'DIGEST_INVALID',
    message: 'invalid digest: sha256 and sha512 in lower-case hexadecimal are supported',
    detail: { digest: value.slice(0, 200) },
  })
}

function checkName(name: string): string {
  if (isRepositoryName(name)) return name
  throw new Refusal(400, {
    code: 'NAME_INVALID',
    message:
      'invalid repository name: up to 255 lower-case letters and digits, separated by ".", "_", "-" and "/"',
    detail: { name: name.slice(0, 300) },
  })
}

/** Parses a tag or digest. An invalid one is 404 for a read, because nothing can be stored under it. @see end-3 */
function parseManifestReference(value: string, method: string): ManifestReference {
  if (isTag(value)) return { tag: value }
  if (value.includes(':')) return { digest: checkDigest(value) }
  const isRead = method === 'GET' || method === 'HEAD'
  throw new Refusal(isRead ? 404 : 400, {
    code: isRead ? 'MANIFEST_UNKNOWN' : 'MANIFEST_INVALID',
    message: 'neither a tag nor a digest: tags have up to 128 letters, digits, ".", "_" and "-"',
    detail: { reference: value.slice(0, 300) },
  })
}
