/** `spindle/sign`: creates signatures and stores them as cosign does. */
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

/** Options of `sign`. */
export interface SignOptions extends RemoteOptions, SignArtifactOptions {
  /**
   * Location for the signatures, like cosign's `COSIGN_REPOSITORY`. Default: that of the artifact.
   */
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
 * Signs an artifact and stores the signature where `cosign verify` finds it.
 *
 * Exported from the main entry point and `spindle/sign`. The tag is resolved once; the
 * digest in the result is the one that was signed.
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
 * @throws `ERR_SIGNATURE_INVALID` when the result of the signer or a service does not verify;
 * nothing is written then. `ERR_CONFLICT` when other writers keep changing the `.sig` tag. Errors
 * of the registry and the services.
 * @see {@link https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md Cosign Signature Specification}
 */
export async function sign(
  at: Location,
  signer: Signer | CertifyingSigner,
  options: SignOptions = {},
): Promise<SignResult> {
  // A misspelled option would leave out annotations or countersignatures.
  assertKnownOptions(options, OPTIONS, 'sign')
  const { signatures, attach, annotations, countersigner, created, reference, ...remote } = options
  const { store, ref, reference: where } = openLocation(at, remote)
  const name = reference ?? (where && dockerReference(where))
  if (name === undefined && attach !== undefined && attach !== 'referrer')
    throw new TypeError(
      'the legacy format signs the name of the repository too: give `reference` for an artifact in a store',
    )
  // The size is signed too. Only reading the manifest proves it.
  const descriptor = await store.resolve(ref, { ...remote, withBytes: true })
  const beside =
    signatures === undefined
      ? store
      : openLocation(signatures, optionsElsewhere(remote, where)).store
  // Awaited here: workerd reports a promise that rejects before it is awaited.
  return await signArtifact(beside, descriptor, signer, {
    ...remote,
    ...(attach !== undefined && { attach }),
    ...(annotations !== undefined && { annotations }),
    ...(countersigner !== undefined && { countersigner }),
    ...(created !== undefined && { created }),
    ...(name !== undefined && { reference: name }),
  })
}

/** The name as cosign's Go library writes it: Docker Hub by its old host. */
function dockerReference({ registry, repository }: Reference): string {
  return `${registry === 'docker.io' ? 'index.docker.io' : registry}/${repository}`
}
