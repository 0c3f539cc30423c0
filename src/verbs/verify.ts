/** `spindle/verify`: who signed what. */
import { assertKnownOptions } from '../bytes/known-names.ts'
import { loadPolicy } from '../trust/policy/load-policy.ts'
import type { Policy } from '../trust/policy/policy.ts'
import { verifyArtifact, type VerifyResult } from '../trust/cosign/verify-artifact.ts'
import type { RemoteOptions, Source, Verifier } from '../types.ts'
import { openSource, optionsElsewhere, REMOTE_OPTIONS } from './location.ts'

export type { ErrorCode, RejectedSignature, Remedy, SpindleError } from '../errors.ts'
export type * from '../registry/remote-types.ts'
export type { ReadStore, ReferrerStore, Source, VerifiedSignature, Verifier } from '../types.ts'
export type { CertificateExtensions, CertificateIdentity } from '../trust/x509/identity.ts'
export type {
  AllOfPolicy,
  AnyOfPolicy,
  IdentityPolicy,
  KeyPolicy,
  Policy,
  SignatureFormat,
  SignatureRequirements,
} from '../trust/policy/policy.ts'
export type { HashName, SubjectDigest } from '../trust/keys/hash.ts'
export type { DigestSignature, DigestVerifier, KeyInput, WebKey } from '../trust/keys/public-key.ts'
export type { StoredSignature } from '../trust/cosign/stored-signatures.ts'
export type { VerifiedLogEntry } from '../trust/log/transparency-log.ts'
export type { VerifyResult } from '../trust/cosign/verify-artifact.ts'
export {
  type BundleSubject,
  type VerifiedBundle,
  verifyBundle,
  type VerifyBundleOptions,
} from '../trust/bundle/verify-bundle.ts'
export type { Proof, SignedBy, TrustedTime } from '../trust/bundle/verify-signature.ts'

/** Where to look, and for what. */
export interface VerifyOptions extends RemoteOptions {
  /** Another place that has the signatures, as cosign's `COSIGN_REPOSITORY` says. Default: beside the artifact. */
  signatures?: Source
}

/** What proves something stands in the policy: here it would be ignored, and is refused. */
const OPTIONS: Readonly<Record<keyof VerifyOptions, true>> = { ...REMOTE_OPTIONS, signatures: true }

/**
 * Verifies the signatures that cosign or this library stored beside an artifact.
 *
 * Exported from the main entry point and `spindle/verify`. Nothing but the registry is asked.
 *
 * @example Only what our release workflow signed
 * ```ts
 * const { descriptor, signatures } = await verify('ghcr.io/team/app:1', {
 *   identity: /https:\/\/github\.com\/team\/app\/\.github\/workflows\/release\.yml@refs\/tags\/.+/,
 *   issuer: 'https://token.actions.githubusercontent.com',
 *   trustedRoot: publicGoodRoot,
 * })
 * ```
 * @example What `cosign verify --key cosign.pub --insecure-ignore-tlog` accepts
 * ```ts
 * await verify('ghcr.io/team/app:1', { key: pem, requireTransparencyLog: false })
 * ```
 * @returns The digest that was verified: use it from here on, the tag may move.
 * @throws `PolicyRejected` (`ERR_POLICY_REJECTED`) with every signature that was looked at and why
 * it does not count; `ERR_NOT_FOUND`, `ERR_UNAUTHORIZED`, `ERR_NETWORK`, `ERR_RESPONSE` as they
 * are, for trouble on the way is no verdict; `TypeError` for a policy that can't be meant.
 * @see {@link https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md Cosign Signature Specification}
 */
export async function verify(
  at: Source,
  policy: Policy,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  assertKnownOptions(options, OPTIONS, 'verify')
  const { signatures, ...remote } = options
  // First: a policy that can't be meant must not depend on what is stored.
  const loaded = await loadPolicy(policy)
  const { store, ref, reference } = openSource(at, remote)
  const descriptor = await store.resolve(ref, remote)
  const beside =
    signatures === undefined
      ? store
      : openSource(signatures, optionsElsewhere(remote, reference)).store
  return verifyArtifact(beside, descriptor, loaded, remote)
}

/**
 * A policy in the form that `pull`, `copy` and `createAppHandler` take: what they go on to read is
 * the very digest that was verified.
 *
 * Exported from the main entry point and `spindle/verify`.
 *
 * @example Refuse to read what isn't signed
 * ```ts
 * const app = await pull('ghcr.io/team/app:1', { verify: createVerifier({ key: pem, requireTransparencyLog: false }) })
 * ```
 * @param options Of another place for signatures, and how to reach it: a verb's own `fetch` and
 * credentials are for the place of the artifact, and stay there.
 * @throws when it is called, as `verify` does; the policy is checked then too.
 */
export function createVerifier(policy: Policy, options: VerifyOptions = {}): Verifier {
  assertKnownOptions(options, OPTIONS, 'createVerifier')
  const loaded = loadPolicy(policy)
  // Reported to who calls it; until then it is nobody's rejection.
  loaded.catch(() => {})
  const { signatures: place, ...remote } = options
  return async ({ store, descriptor }, call) => {
    const beside = place === undefined ? store : openSource(place, remote).store
    const { signatures } = await verifyArtifact(beside, descriptor, await loaded, call)
    return signatures
  }
}
