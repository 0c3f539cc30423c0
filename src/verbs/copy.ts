import { copyGraph } from '../store/copy-graph.ts'
import { copyReferrers } from '../store/copy-referrers.ts'
import { onSide } from '../store/side.ts'
import { assertVerifyOption } from '../store/verify-option.ts'
import type { Policy } from '../trust/policy/policy.ts'
import { openVerifier } from '../trust/verifier.ts'
import { SpindleError } from '../errors.ts'
import type { Descriptor, Keychain, Location, RemoteOptions, Source, Verifier } from '../types.ts'
import {
  openLocation,
  openSource,
  type OpenLocation,
  type OpenSource,
  withTransport,
} from './location.ts'

export type * from '../registry/remote-types.ts'
export type * from '../trust/policy-types.ts'
export type {
  Location,
  ReadStore,
  ReferrerStore,
  Source,
  Store,
  VerifiedSignature,
  Verifier,
} from '../types.ts'

/** Options of `copy`. */
export interface CopyOptions extends Omit<RemoteOptions, 'credentials'> {
  /** A function, so that the credentials of one registry are not sent to the other. */
  credentials?: Keychain
  /** Also copies signatures and other referrers, before the tag is written. Default false. */
  referrers?: boolean
  /** Verifies the artifact before anything is copied. See `createVerifier`. */
  verify?: Verifier | Policy
  /** Most manifests of the artifact, and of each of its referrers. Default 1000. */
  maxManifests?: number
  /** Most referrers to copy. Default 10000. */
  maxReferrers?: number
}

/**
 * Suffixes of the tags, named `sha256-…`, under which cosign before 3 stores referrers.
 * @see cosign, Signature Spec
 */
const COSIGN_SUFFIXES = ['sig', 'att', 'sbom'] as const

/**
 * Copies an artifact and everything it points at from one location to another.
 *
 * Exported from the main entry point and `spindle/copy`.
 *
 * @example Mirror a release with its signatures
 * ```ts
 * await copy('ghcr.io/o/app:1.2', 'registry.example/o/app:1.2', { referrers: true })
 * ```
 * @param from Location of the artifact.
 * @param to Location to write to; the tag is written last.
 * @returns The descriptor of the root, the same on both sides.
 * @throws `ERR_DIGEST_MISMATCH` when content of the source does not match its digest;
 * `ERR_POLICY_REJECTED` when `verify` refuses the artifact; otherwise as `push` and `pull`.
 * @see {@link https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md Distribution Spec}
 */
export async function copy(
  from: Source,
  to: Location,
  options: CopyOptions = {},
): Promise<Descriptor> {
  assertVerifyOption(options)
  const { referrers = false, verify, maxManifests, maxReferrers, ...rest } = options
  const verifier =
    verify && (await openVerifier(verify, () => import('../trust/policy-verifier.ts')))
  const remote = withTransport(rest)
  const source = openSource(from, remote)
  const target = openLocation(to, remote)
  const root = await onSide(
    'source',
    source.store.resolve(source.ref, { ...remote, withBytes: true }),
  )
  if (target.reference?.digest !== undefined && target.reference.digest !== root.digest) {
    throw new SpindleError(
      'ERR_DIGEST_MISMATCH',
      `${target.reference} can't name ${root.digest}; give a tag, or no digest`,
    )
  }
  if (verifier !== undefined)
    await onSide('source', verifier({ store: source.store, descriptor: root }, remote))
  const tag =
    target.reference === undefined
      ? target.ref
      : (target.reference.tag ?? (target.reference.digest === undefined ? 'latest' : undefined))
  const mountFrom = sameRegistry(source, target) ? source.reference?.repository : undefined
  if (referrers) await copyCosignTags(source, target, root, remote)
  const how = {
    ...remote,
    maxManifests,
    maxReferrers,
    ...(mountFrom === undefined ? {} : { mountFrom }),
  }
  await copyGraph(source.store, target.store, root, {
    ...how,
    ...(tag === undefined ? {} : { tag }),
    ...(referrers && {
      beforeTag: () => onSide('source', copyReferrers(source.store, target.store, root, how)),
    }),
  })
  return root
}

function sameRegistry(source: OpenSource, target: OpenLocation): boolean {
  return (
    source.reference !== undefined &&
    source.reference.registry === target.reference?.registry &&
    source.reference.repository !== target.reference.repository
  )
}

async function copyCosignTags(
  source: OpenSource,
  target: OpenLocation,
  root: Descriptor,
  options: RemoteOptions,
): Promise<void> {
  // The tag of a sha512 digest would exceed the length limit of tags, so no such tag exists.
  if (!root.digest.startsWith('sha256:')) return
  for (const suffix of COSIGN_SUFFIXES) {
    const tag = `${root.digest.replace(':', '-')}.${suffix}`
    let found: Descriptor
    try {
      found = await onSide('source', source.store.resolve(tag, { ...options, withBytes: true }))
    } catch (error) {
      if (error instanceof SpindleError && error.code === 'ERR_NOT_FOUND') continue
      throw error
    }
    await copyGraph(source.store, target.store, found, { ...options, tag })
  }
}
