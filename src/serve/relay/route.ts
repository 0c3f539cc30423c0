import type { AuthScope } from '../../types.ts'
import { isRepositoryName, isTag } from '../../oci/reference.ts'

/** A parsed path below `/<prefix>/<registry host>`. */
export type RelayRoute =
  | { readonly kind: 'ping' }
  | {
      readonly kind: 'tags' | 'referrers' | 'manifest' | 'blob' | 'uploads' | 'upload'
      readonly repository: string
    }
  /** A sealed URL of a token service or an upload. */
  | { readonly kind: 'token' | 'sealed'; readonly seal: string }

/** A digest of any algorithm: the registry decides which ones it supports. */
const DIGEST = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]{32,256}$/
/** Upload IDs are chosen by registries; these characters cover all known ones. */
const UPLOAD_ID = /^[A-Za-z0-9._~=-]{1,1024}$/
const SEAL = /^[A-Za-z0-9._-]{1,16384}$/

const TOKEN_PATH = '/_relay/token/'
const SEALED_PATH = '/_relay/upload/'

export const formatSealedPath = (kind: 'token' | 'sealed', seal: string): string =>
  `${kind === 'token' ? TOKEN_PATH : SEALED_PATH}${seal}`

/**
 * Parses the raw path. Decodes nothing and rejects `%`, so that relay and registry cannot interpret an
 * encoded path differently.
 * @see OCI Distribution Spec 1.1, Endpoints
 */
export function parseRelayRoute(path: string): RelayRoute | undefined {
  if (path === '/v2' || path === '/v2/') return { kind: 'ping' }
  for (const [kind, prefix] of [
    ['token', TOKEN_PATH],
    ['sealed', SEALED_PATH],
  ] as const) {
    if (!path.startsWith(prefix)) continue
    const seal = path.slice(prefix.length)
    return SEAL.test(seal) ? { kind, seal } : undefined
  }
  const match =
    /^\/v2\/(.+)\/(?:(tags)\/list|(manifests|referrers|blobs\/uploads|blobs)\/([^/]*))$/.exec(path)
  if (match === null) return undefined
  const [, repository = '', tags, place, last = ''] = match
  if (!isRepositoryName(repository)) return undefined
  if (tags !== undefined) return { kind: 'tags', repository }
  switch (place) {
    case 'manifests':
      return isTag(last) || DIGEST.test(last) ? { kind: 'manifest', repository } : undefined
    case 'referrers':
      return DIGEST.test(last) ? { kind: 'referrers', repository } : undefined
    case 'blobs':
      if (last === 'uploads') return { kind: 'uploads', repository }
      return DIGEST.test(last) ? { kind: 'blob', repository } : undefined
    default:
      if (last === '') return { kind: 'uploads', repository }
      return UPLOAD_ID.test(last) && !/^\.+$/.test(last)
        ? { kind: 'upload', repository }
        : undefined
  }
}

const METHODS: Readonly<Record<RelayRoute['kind'], readonly string[]>> = {
  ping: ['GET', 'HEAD'],
  tags: ['GET', 'HEAD'],
  referrers: ['GET', 'HEAD'],
  manifest: ['GET', 'HEAD', 'PUT', 'DELETE'],
  blob: ['GET', 'HEAD', 'DELETE'],
  uploads: ['POST'],
  upload: ['GET', 'PATCH', 'PUT', 'DELETE'],
  sealed: ['GET', 'PATCH', 'PUT', 'DELETE'],
  token: ['GET', 'POST'],
}

/** The allowed methods of a route. */
export function methodsOf({ kind }: RelayRoute): readonly string[] {
  return METHODS[kind]
}

/** The actions of a request, as in scopes. Cancelling an upload is not a deletion. */
export function actionsOf(kind: RelayRoute['kind'], method: string): AuthScope['actions'] {
  if (kind === 'ping' || kind === 'token') return []
  if (kind === 'uploads' || kind === 'upload' || kind === 'sealed') return ['pull', 'push']
  if (method === 'GET' || method === 'HEAD') return ['pull']
  return method === 'DELETE' ? ['delete'] : ['pull', 'push']
}
