/**
 * The main entry point: what most programs need. Each subpath, such as `spindle/pull`, also exports
 * all types of its own signatures; the rest of the library is in `spindle/app`, `spindle/bindle`,
 * `spindle/repository` and the others.
 */
export { createDigestStreamHasher } from './bytes/digest.ts'
export {
  type AnySpindleError,
  AppInvalid,
  type ErrorCode,
  type Finding,
  isSpindleError,
  PolicyRejected,
  ResponseError,
  SignatureInvalid,
  SpindleError,
} from './errors.ts'
export { createRelayFetch } from './http/relay-fetch.ts'
export { createTransport } from './http/transport.ts'
export { isReference, parseReference } from './oci/reference.ts'
export { createMirrorFetch } from './registry/mirror-fetch.ts'
export { createRepository } from './registry/repository.ts'
export type { PulledApp } from './spin/artifact/pulled-app.ts'
export type { LockedApp } from './spin/lock/locked-app.ts'
export type { App } from './spin/source/app.ts'
export type { AppSource } from './spin/source/app-source.ts'
export { loadApp, type LoadAppOptions } from './spin/source/load-app.ts'
export { readImage } from './spin/source/read-image.ts'
export { createContentCache } from './store/content-cache.ts'
export { createLayoutStore } from './store/layout.ts'
export { createMemoryStore } from './store/memory.ts'
export type { SignResult } from './trust/cosign/sign-artifact.ts'
export type { VerifyResult } from './trust/cosign/verify-artifact.ts'
export { verifyBundle } from './trust/bundle/verify-bundle.ts'
export { generateKeyPair } from './trust/keys/private-key.ts'
export { createKeySigner, type Signer } from './trust/keys/signer.ts'
export type { Policy } from './trust/policy/policy.ts'
export type {
  Credentials,
  Descriptor,
  Digest,
  FetchHandler,
  FetchLike,
  Keychain,
  Location,
  Reference,
  RemoteOptions,
  Source,
  Store,
  TransferEvent,
  VerifiedSignature,
  Verifier,
} from './types.ts'
export { copy, type CopyOptions } from './verbs/copy.ts'
export { pull, type PullOptions } from './verbs/pull.ts'
export { push, type PushOptions, type PushResult } from './verbs/push.ts'
export { resolve } from './verbs/resolve.ts'
export { sign, type SignOptions } from './verbs/sign.ts'
export { createVerifier, verify, type VerifyOptions } from './verbs/verify.ts'
