/** Fetches the current trusted root. @see https://theupdateframework.github.io/specification/latest/#detailed-client-workflow */
import { hexOf, isDigest, digestOf } from '../../bytes/digest.ts'
import { parseJson } from '../../bytes/json.ts'
import { SpindleError } from '../../errors.ts'
import { callService, type ServiceOptions } from '../wire/service-request.ts'
import {
  assertSigned,
  keyIdsOf,
  parseTufDocument,
  type TufDocument,
  type TufRole,
} from './tuf-metadata.ts'
import { parseTrustedRoot } from './trusted-root.ts'
import type { Field } from '../wire/wire-json.ts'

export type { FetchLike } from '../../types.ts'
export type { ServiceOptions } from '../wire/service-request.ts'

/**
 * State between updates, as JSON. Save it: without it, a rollback to metadata older than the last update
 * cannot be detected.
 */
export interface TufState {
  /** The signed `root.json`. */
  readonly root: object
  /** Last seen version of `timestamp.json`. */
  readonly timestamp?: number
  /** Last seen version of `snapshot.json`. */
  readonly snapshot?: number
  /** Last seen version of `targets.json`. */
  readonly targets?: number
}

/** Options of `updateTrustedRoot`. */
export interface UpdateTrustedRootOptions extends ServiceOptions {
  /** URL of the TUF repository. Default: the public-good instance. */
  url?: string
  /** Time at which the metadata must not have expired. Default: the current time. */
  now?: Date
  /** Path of the target file. Default `trusted_root.json`. */
  target?: string
}

/** Result of `updateTrustedRoot`. */
export interface UpdateTrustedRootResult {
  /** The parsed `trusted_root.json`, for the `trustedRoot` of a policy. */
  readonly trustedRoot: object
  /** State to save and to pass to the next update. */
  readonly state: TufState
}

/** Most root rotations between two updates: the public-good root had fifteen in five years. */
const MAX_ROTATIONS = 64
const PUBLIC_GOOD = 'https://tuf-repo-cdn.sigstore.dev'

/**
 * Fetches a trusted root with The Update Framework (TUF), starting from an already trusted TUF root.
 *
 * Exported from `spindle/tuf`. No other function of this library contacts the TUF repository.
 *
 * @example Keep the public-good root current
 * ```ts
 * const { trustedRoot, state } = await updateTrustedRoot(saved ?? { root: publicGoodTufRoot })
 * ```
 * @throws `ERR_SIGNATURE_INVALID` for too few signatures; `ERR_CONTENT_INVALID` for a rollback, a
 * freeze (expired metadata) or a gap between roots; `ERR_DIGEST_MISMATCH`; `ERR_LIMIT_EXCEEDED` after 64
 * rotations; `SignatureInvalid` `TRUST_ROOT_INVALID`; `ResponseError`, `ERR_NETWORK`, `ERR_TIMEOUT`.
 */
export async function updateTrustedRoot(
  from: TufState,
  options: UpdateTrustedRootOptions = {},
): Promise<UpdateTrustedRootResult> {
  const { url = PUBLIC_GOOD, now = new Date(), target = 'trusted_root.json', ...service } = options
  const base = url.replace(/\/$/, '')
  const fetchFile = async (path: string): Promise<Uint8Array> =>
    (await callService({ method: 'GET', url: `${base}/${path}` }, service)).bytes

  const root = await updateRoot(from.root, base, service)
  assertNotExpired(root.document, 'root', now)
  // Forget versions after a key was removed: its holder may have raised them (fast-forward attack): 5.3.11.
  const seen: Partial<TufState> = root.isRotated ? {} : from

  const read = async (
    role: Exclude<TufRole, 'root'>,
    path: string,
    meta?: Field,
  ): Promise<TufDocument> => {
    const bytes = await fetchFile(path)
    if (meta !== undefined) await assertFile(bytes, meta, path)
    const document = parseTufDocument(bytes, role)
    await assertSigned(document, root.document, role)
    if (meta !== undefined && document.version !== meta.get('version').count())
      throw refused(
        `${path} has version ${document.version}, the metadata announced ${meta.get('version').count()}`,
      )
    if (document.version < (seen[role] ?? 0))
      throw refused(
        `${path} has version ${document.version}, older than version ${seen[role]} of the last update (rollback)`,
      )
    assertNotExpired(document, role, now)
    return document
  }
  const timestamp = await read('timestamp', 'timestamp.json')
  const snapshotMeta = timestamp.signed.get('meta').get('snapshot.json')
  const snapshot = await read(
    'snapshot',
    `${snapshotMeta.get('version').count()}.snapshot.json`,
    snapshotMeta,
  )
  const targetsMeta = snapshot.signed.get('meta').get('targets.json')
  const targets = await read(
    'targets',
    `${targetsMeta.get('version').count()}.targets.json`,
    targetsMeta,
  )

  const file = targets.signed.get('targets').get(target)
  const digest = `sha256:${file.get('hashes').get('sha256').string()}`
  if (!isDigest(digest))
    throw refused(`the targets metadata has no valid SHA-256 hash of ${target}`)
  const folder = target.slice(0, target.lastIndexOf('/') + 1)
  const bytes = await fetchFile(`targets/${folder}${hexOf(digest)}.${target.slice(folder.length)}`)
  await assertFile(bytes, file, target)
  const trustedRoot = parseJson(bytes, target) as object
  parseTrustedRoot(trustedRoot)
  return {
    trustedRoot,
    state: {
      root: root.json,
      timestamp: timestamp.version,
      snapshot: snapshot.version,
      targets: targets.version,
    },
  }
}

/**
 * Follows the root versions, each signed by its predecessor and by itself. `isRotated`: a key of the
 * timestamp or snapshot role was removed.
 */
async function updateRoot(
  start: object,
  base: string,
  service: ServiceOptions,
): Promise<{ json: object; document: TufDocument; isRotated: boolean }> {
  let json = start
  const first = parseTufDocument(start, 'root')
  let document = first
  await assertSigned(document, document, 'root')
  for (let i = 0; i <= MAX_ROTATIONS; i++) {
    const path = `${document.version + 1}.root.json`
    // Object stores answer 403 for a missing file when listing is not allowed.
    const { status, bytes } = await callService(
      { method: 'GET', url: `${base}/${path}`, expect: [403, 404] },
      service,
    )
    if (status === 403 || status === 404) {
      const isRotated = (['timestamp', 'snapshot'] as const).some((role) => {
        const present = keyIdsOf(document, role)
        return [...keyIdsOf(first, role)].some((id) => !present.has(id))
      })
      return { json, document, isRotated }
    }
    const next = parseTufDocument(bytes, 'root')
    await assertSigned(next, document, 'root')
    await assertSigned(next, next, 'root')
    if (next.version !== document.version + 1) throw refused(`${path} has version ${next.version}`)
    json = parseJson(bytes, path) as object
    document = next
  }
  throw new SpindleError(
    'ERR_LIMIT_EXCEEDED',
    `the TUF root was rotated more than ${MAX_ROTATIONS} times: start from a newer root`,
  )
}

/** Compares length and hash, as far as the announcing metadata has them. */
async function assertFile(bytes: Uint8Array, meta: Field, path: string): Promise<void> {
  const length = meta.get('length').optional()?.count()
  const hash = meta.get('hashes').optional()?.get('sha256').string()
  if (
    (length !== undefined && bytes.length !== length) ||
    (hash !== undefined && (await digestOf(bytes)) !== `sha256:${hash}`)
  ) {
    throw new SpindleError(
      'ERR_DIGEST_MISMATCH',
      `${path} does not match the length or hash in the TUF metadata: try again, the repository may be in the middle of an update`,
    )
  }
}

function assertNotExpired({ expires }: TufDocument, role: TufRole, now: Date): void {
  if (expires <= now.getTime())
    throw refused(
      `${role}.json expired on ${new Date(expires).toISOString()}: newer metadata may be withheld (freeze attack); check the clock and the repository`,
    )
}

function refused(why: string): SpindleError {
  return new SpindleError(
    'ERR_CONTENT_INVALID',
    `the update of the trusted root is refused: ${why}`,
  )
}
