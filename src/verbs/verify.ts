/** `spindle/verify`: verifies signatures. */
import { assertKnownOptions } from '../bytes/known-names.ts'
import { loadPolicy } from '../trust/policy/load-policy.ts'
import type { Policy } from '../trust/policy/policy.ts'
import { verifyArtifact, type VerifyResult } from '../trust/cosign/verify-artifact.ts'
import type { RemoteOptions, Source, Verifier } from '../types.ts'
import { openSource, optionsElsewhere, REMOTE_OPTIONS } from './location.ts'

export type {
  ErrorCode,
  PlainErrorCode,
  RejectedSignature,
  Remedy,
  SpindleError,
} from '../errors.ts'
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

/** Options of `verify` and `createVerifier`. */
export interface VerifyOptions extends RemoteOptions {
  /**
   * Location of the signatures, like cosign's `COSIGN_REPOSITORY`. Default: that of the artifact.
   */
  signatures?: Source
}

/** Options of the policy, such as keys, are refused here: they would be ignored. */
const OPTIONS: Readonly<Record<keyof VerifyOptions, true>> = { ...REMOTE_OPTIONS, signatures: true }

/**
 * Verifies the signatures that cosign or this library stored beside an artifact.
 *
 * Exported from the main entry point and `spindle/verify`. Only the registry is contacted.
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
 * @returns The verified digest. Use it from here on: the tag can move.
 * @throws `PolicyRejected` (`ERR_POLICY_REJECTED`) with every signature that was examined and why
 * it was rejected; `ERR_NOT_FOUND`, `ERR_UNAUTHORIZED`, `ERR_NETWORK` and `ERR_RESPONSE` when the
 * signatures can't be read; `TypeError` for an invalid policy.
 * @see {@link https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md Cosign Signature Specification}
 */
export async function verify(
  at: Source,
  policy: Policy,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  assertKnownOptions(options, OPTIONS, 'verify')
  const { signatures, ...remote } = options
  // First, so that an invalid policy is refused whatever the registry has.
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
 * Creates a verifier from a policy, for `pull`, `copy` and `createAppHandler`: they read exactly
 * the
 * digest that was verified.
 *
 * Exported from the main entry point and `spindle/verify`.
 *
 * @example Refuse unsigned applications
 * ```ts
 * const app = await pull('ghcr.io/team/app:1', { verify: createVerifier({ key: pem, requireTransparencyLog: false }) })
 * ```
 * @param options Another location of the signatures, and how to reach it. The `fetch` and
 * credentials of the call that verifies are used only for the artifact's location.
 * @throws as `verify`, when the verifier is called. The policy is checked then too.
 */
export function createVerifier(policy: Policy, options: VerifyOptions = {}): Verifier {
  assertKnownOptions(options, OPTIONS, 'createVerifier')
  const loaded = loadPolicy(policy)
  // Reported when the verifier is called; not an unhandled rejection until then.
  loaded.catch(() => {})
  const { signatures: place, ...remote } = options
  return async ({ store, descriptor }, call) => {
    const beside = place === undefined ? store : openSource(place, remote).store
    const { signatures } = await verifyArtifact(beside, descriptor, await loaded, call)
    return signatures
  }
}
