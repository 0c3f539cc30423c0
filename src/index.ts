/** Everything that runs everywhere, in one import. Node's own parts are in `spindle/node`. */
export { createDigestStreamHasher, type DigestStreamConstructor } from './bytes/digest.ts'
export type { Json } from './bytes/json.ts'
export type { SliceableContent } from './bytes/sliceable.ts'
export * from './errors.ts'
export { createRelayFetch, type RelayFetchOptions } from './http/relay-fetch.ts'
export { createTransport } from './http/transport.ts'
export { isReference, parseReference, type ParseReferenceOptions } from './oci/reference.ts'
export { exchangeAzureToken, type AzureExchangeOptions } from './registry/azure-exchange.ts'
export { createMirrorFetch, type Mirror, type MirrorFetchOptions } from './registry/mirror-fetch.ts'
export { createRepository, type Repository, type RepositoryOptions } from './registry/repository.ts'
export type * from './spin/app-manifest.ts'
export { type AppSource, readAppSource, type ReadAppSourceOptions } from './spin/app-source.ts'
export type * from './spin/app.ts'
export { formatLockedApp } from './spin/format-locked-app.ts'
export { loadApp, type LoadAppOptions } from './spin/load-app.ts'
export { lockApp, type LockAppOptions } from './spin/lock.ts'
export type * from './spin/locked-app.ts'
export {
  parseAppManifest,
  type ParseAppManifestOptions,
  type ParseAppManifestResult,
} from './spin/manifest.ts'
export { normalizeManifest, type NormalizeOptions } from './spin/normalize.ts'
export { INLINE_BYTES, MAX_LAYERS, packApp, type PackedApp, type PackOptions } from './spin/pack.ts'
export { parseLockedApp } from './spin/parse-locked-app.ts'
export type { PulledApp } from './spin/pulled-app.ts'
export type { DirectoryHandle } from './spin/sources/directory-handle.ts'
export type { DropData } from './spin/sources/drop.ts'
export type { UploadedFile } from './spin/sources/files.ts'
export type { FileRecord } from './spin/sources/record.ts'
export { readImage } from './spin/read-image.ts'
export type { ReadImage } from './spin/pulled-app.ts'
export { unpackApp, type UnpackOptions } from './spin/unpack.ts'
export type { PackageResolver, WasmPackage, WasmSourceOptions } from './spin/wasm-source.ts'
export { type ContentKeeper, createContentCache } from './store/content-cache.ts'
export { type LayoutArchive, readLayoutTar } from './store/layout-tar.ts'
export { createLayoutStore, type LayoutFiles } from './store/layout.ts'
export { createMemoryStore } from './store/memory.ts'
export type { SubjectDigest } from './trust/hash.ts'
export type { CertificateExtensions, CertificateIdentity } from './trust/identity.ts'
export type {
  AllOfPolicy,
  AnyOfPolicy,
  IdentityPolicy,
  KeyPolicy,
  Policy,
  SignatureFormat,
} from './trust/policy.ts'
export {
  formatPrivateKey,
  formatPublicKey,
  generateKeyPair,
  importPrivateKey,
  type Curve,
  type PrivateJwk,
  type WebKeyPair,
} from './trust/private-key.ts'
export type {
  DigestSignature,
  DigestVerifier,
  HashName,
  KeyInput,
  WebKey,
} from './trust/public-key.ts'
export type {
  CertifyingSigner,
  FreshSignature,
  SignResult,
  Testimony,
  Witness,
} from './trust/sign-artifact.ts'
export { createKeySigner, type Signer } from './trust/signer.ts'
export type { StoredSignature } from './trust/stored-signatures.ts'
export type { VerifyResult } from './trust/verify-artifact.ts'
export type { InclusionProof, LogEntry, VerifiedLogEntry } from './trust/transparency-log.ts'
export {
  verifyBundle,
  type BundleSubject,
  type VerifiedBundle,
  type VerifyBundleOptions,
} from './trust/verify-bundle.ts'
export type { Proof, SignedBy, TrustedTime } from './trust/verify-signature.ts'
export type * from './types.ts'
export * from './verbs/bindle.ts'
export { copy, type CopyOptions } from './verbs/copy.ts'
export { pull, type PullOptions } from './verbs/pull.ts'
export { push, type PushOptions, type PushResult } from './verbs/push.ts'
export { resolve } from './verbs/resolve.ts'
export { sign, type SignOptions } from './verbs/sign.ts'
export { createVerifier, verify, type VerifyOptions } from './verbs/verify.ts'
