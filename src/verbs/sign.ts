/** `spindle/sign`: signatures beside an artifact, as cosign stores them. */
import { assertKnownOptions } from '../bytes/known-names.ts'
import {
  type CertifyingSigner,
  signArtifact,
  type SignArtifactOptions,
  type SignResult,
} from '../trust/cosign/sign-artifact.ts'
import type { Signer } from '../trust/keys/signer.ts'
import type { Location, Reference, RemoteOptions } from '../types.ts'
import { openLocation, optionsElsewhere, REMOTE_OPTIONS } from './location.ts'

export type * from '../registry/remote-types.ts'
export type { Location, ReadStore, Store } from '../types.ts'
export type { InclusionProof, LogEntry } from '../trust/log/transparency-log.ts'
export {
  type Curve,
  formatPrivateKey,
  formatPublicKey,
  generateKeyPair,
  importPrivateKey,
  type PrivateJwk,
  type WebKeyPair,
} from '../trust/keys/private-key.ts'
export type { WebKey } from '../trust/keys/public-key.ts'
export type {
  CertifyingSigner,
  FreshSignature,
  SignArtifactOptions,
  SignResult,
  Countersignatures,
  Countersigner,
} from '../trust/cosign/sign-artifact.ts'
export { createKeySigner, type Signer } from '../trust/keys/signer.ts'

export interface SignOptions extends RemoteOptions, SignArtifactOptions {
  /** Another place for the signatures, as cosign's `COSIGN_REPOSITORY` says. Default: beside the artifact. */
  signatures?: Location
}

const OPTIONS: Readonly<Record<keyof SignOptions, true>> = {
  ...REMOTE_OPTIONS,
  annotations: true,
  attach: true,
  created: true,
  reference: true,
  signatures: true,
  countersigner: true,
}

/**
 * Signs an artifact and stores the signature beside it, where `cosign verify` finds it.
 *
 * Exported from the main entry point and `spindle/sign`. The tag is resolved once; what is
 * signed is the digest in the result.
 *
 * @example With a key, for cosign 3
 * ```ts
 * await sign('ghcr.io/team/app:1', await createKeySigner(pem), { credentials })
 * ```
 * @example For older cosign and admission controllers too
 * ```ts
 * await sign('ghcr.io/team/app:1', signer, { credentials, attach: 'both' })
 * ```
 * @param signer A key, or `createKeylessSigner` of `spindle/keyless`.
 * @throws `ERR_SIGNATURE_INVALID` when the signer or a service answers with something that does not
 * hold, before anything is written; `ERR_CONFLICT` when others keep changing the `.sig` tag;
 * the registry's and the services' errors.
 * @see {@link https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md Cosign Signature Specification}
 */
export async function sign(
  at: Location,
  signer: Signer | CertifyingSigner,
  options: SignOptions = {},
): Promise<SignResult> {
  // A mistyped one would leave out what was to be signed along, or who was to vouch for it.
  assertKnownOptions(options, OPTIONS, 'sign')
  const { signatures, attach, annotations, countersigner, created, reference, ...remote } = options
  const { store, ref, reference: where } = openLocation(at, remote)
  const name = reference ?? (where && dockerReference(where))
  if (name === undefined && attach !== undefined && attach !== 'referrer')
    throw new TypeError(
      '`reference` is needed for the older form in a store: it signs the name of the repository too',
    )
  // Its size is signed for as well, and a registry may say another one when it is not read.
  const descriptor = await store.resolve(ref, { ...remote, withBytes: true })
  const beside =
    signatures === undefined
      ? store
      : openLocation(signatures, optionsElsewhere(remote, where)).store
  // Awaited here: workerd reports what rejects before it is waited for.
  return await signArtifact(beside, descriptor, signer, {
    ...remote,
    ...(attach !== undefined && { attach }),
    ...(annotations !== undefined && { annotations }),
    ...(countersigner !== undefined && { countersigner }),
    ...(created !== undefined && { created }),
    ...(name !== undefined && { reference: name }),
  })
}

/** As cosign's Go library writes names: Docker Hub by its old host. */
function dockerReference({ registry, repository }: Reference): string {
  return `${registry === 'docker.io' ? 'index.docker.io' : registry}/${repository}`
}
