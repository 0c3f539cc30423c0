/** Fetches the present trusted root. @see https://theupdateframework.github.io/specification/latest/#detailed-client-workflow */
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

/** What an update has to go on from: keep it, or a rollback to between two updates goes unnoticed. */
export interface TufState {
  /** `root.json`, signed. */
  readonly root: object
  /** Versions last seen. */
  readonly timestamp?: number
  readonly snapshot?: number
  readonly targets?: number
}

export interface UpdateTrustedRootOptions extends ServiceOptions {
  /** The repository's address. Default: the public-good one. */
  url?: string
  /** Default: now. */
  now?: Date
  /** Name of the target. Default `trusted_root.json`. */
  target?: string
}

export interface UpdateTrustedRootResult {
  /** For policies, as `trustedRoot`. */
  readonly trustedRoot: object
  /** For the next update. */
  readonly state: TufState
}

/** Rotations between two updates: the public-good root has had fifteen in five years. */
const MAX_ROTATIONS = 64
const PUBLIC_GOOD = 'https://tuf-repo-cdn.sigstore.dev'

/**
 * Fetches a trusted root by The Update Framework, starting from a root that is trusted already.
 *
 * Exported from `spindle/tuf`. Nothing else in this library contacts the repository.
 *
 * @example Keep the public-good root current
 * ```ts
 * const { trustedRoot, state } = await updateTrustedRoot(saved ?? { root: publicGoodTufRoot })
 * ```
 * @throws `ERR_SIGNATURE_INVALID` for too few signatures; `ERR_CONTENT_INVALID` for a rollback, a
 * freeze (expired metadata) or a gap between roots; `ERR_DIGEST_MISMATCH`; `ResponseError`, `ERR_NETWORK`.
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
  assertLive(root.document, 'root', now)
  // Whoever had a key that was taken back may have run the versions up (fast-forward): 5.3.11.
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
      throw invalid(`${path} is of version ${document.version}, which nobody announced`)
    if (document.version < (seen[role] ?? 0))
      throw invalid(`${path} is older than what was seen before (rollback)`)
    assertLive(document, role, now)
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
  if (!isDigest(digest)) throw invalid(`the hash of ${target} is none`)
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

/** From version to version, each signed by the one before and by itself; and whether keys of others were taken back. */
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
    // Object stores answer 403 for what isn't there, where listing is not allowed.
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
    if (next.version !== document.version + 1)
      throw invalid(`${path} is of version ${next.version}`)
    json = parseJson(bytes, path) as object
    document = next
  }
  throw new SpindleError(
    'ERR_LIMIT_EXCEEDED',
    `the root was rotated more than ${MAX_ROTATIONS} times: start from a newer one`,
  )
}

/** Length and hash, where the one who announced the file gave them. */
async function assertFile(bytes: Uint8Array, meta: Field, path: string): Promise<void> {
  const length = meta.get('length').optional()?.count()
  const hash = meta.get('hashes').optional()?.get('sha256').string()
  if (
    (length !== undefined && bytes.length !== length) ||
    (hash !== undefined && (await digestOf(bytes)) !== `sha256:${hash}`)
  ) {
    throw new SpindleError('ERR_DIGEST_MISMATCH', `${path} is not the file that was announced`)
  }
}

function assertLive({ expires }: TufDocument, role: TufRole, now: Date): void {
  if (expires <= now.getTime())
    throw invalid(
      `${role}.json expired on ${new Date(expires).toISOString()}: somebody may be holding back newer ones (freeze)`,
    )
}

function invalid(why: string): SpindleError {
  return new SpindleError(
    'ERR_CONTENT_INVALID',
    `the update of the trusted root is refused: ${why}`,
  )
}
