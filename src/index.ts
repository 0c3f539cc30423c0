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
export type * from './spin/manifest/app-manifest.ts'
export {
  type AppSource,
  readAppSource,
  type ReadAppSourceOptions,
} from './spin/source/app-source.ts'
export type * from './spin/source/app.ts'
export { formatLockedApp } from './spin/lock/format-locked-app.ts'
export { loadApp, type LoadAppOptions } from './spin/source/load-app.ts'
export { lockApp, type LockAppOptions } from './spin/source/lock-app.ts'
export type * from './spin/lock/locked-app.ts'
export {
  parseAppManifest,
  type ParseAppManifestOptions,
  type ParseAppManifestResult,
} from './spin/manifest/manifest.ts'
export { normalizeManifest, type NormalizeOptions } from './spin/manifest/normalize.ts'
export {
  INLINE_BYTES,
  MAX_LAYERS,
  packApp,
  type PackedApp,
  type PackOptions,
} from './spin/artifact/pack.ts'
export { parseLockedApp } from './spin/lock/parse-locked-app.ts'
export type { PulledApp } from './spin/artifact/pulled-app.ts'
export type { DirectoryHandle } from './spin/files/directory-handle.ts'
export type {
  SourceEntry,
  SourceExit,
  SourceFile,
  SourceFolder,
} from './spin/files/source-folder.ts'
export type { DropData } from './spin/files/drop.ts'
export type { UploadedFile } from './spin/files/files.ts'
export type { FileRecord } from './spin/files/files.ts'
export { readImage } from './spin/source/read-image.ts'
export type { ReadImage } from './spin/artifact/pulled-app.ts'
export { unpackApp, type UnpackOptions } from './spin/artifact/unpack.ts'
export type { PackageResolver, WasmPackage, WasmSourceOptions } from './spin/source/wasm-source.ts'
export { type ContentKeeper, createContentCache } from './store/content-cache.ts'
export { type LayoutArchive, readLayoutTar } from './store/layout-tar.ts'
export { createLayoutStore, type LayoutFiles } from './store/layout.ts'
export { createMemoryStore } from './store/memory.ts'
export type { HashName, SubjectDigest } from './trust/keys/hash.ts'
export type { CertificateExtensions, CertificateIdentity } from './trust/x509/identity.ts'
export type {
  AllOfPolicy,
  AnyOfPolicy,
  IdentityPolicy,
  KeyPolicy,
  Policy,
  SignatureFormat,
  SignatureRequirements,
} from './trust/policy/policy.ts'
export {
  formatPrivateKey,
  formatPublicKey,
  generateKeyPair,
  importPrivateKey,
  type Curve,
  type PrivateJwk,
  type WebKeyPair,
} from './trust/keys/private-key.ts'
export type { DigestSignature, DigestVerifier, KeyInput, WebKey } from './trust/keys/public-key.ts'
export type {
  CertifyingSigner,
  FreshSignature,
  SignResult,
  Countersignatures,
  Countersigner,
} from './trust/cosign/sign-artifact.ts'
export { createKeySigner, type Signer } from './trust/keys/signer.ts'
export type { StoredSignature } from './trust/cosign/stored-signatures.ts'
export type { VerifyResult } from './trust/cosign/verify-artifact.ts'
export type { InclusionProof, LogEntry, VerifiedLogEntry } from './trust/log/transparency-log.ts'
export {
  verifyBundle,
  type BundleSubject,
  type VerifiedBundle,
  type VerifyBundleOptions,
} from './trust/bundle/verify-bundle.ts'
export type { Proof, SignedBy, TrustedTime } from './trust/bundle/verify-signature.ts'
export type * from './types.ts'
export * from './verbs/bindle.ts'
export { copy, type CopyOptions } from './verbs/copy.ts'
export { pull, type PullOptions } from './verbs/pull.ts'
export { push, type PushOptions, type PushResult } from './verbs/push.ts'
export { resolve } from './verbs/resolve.ts'
export { sign, type SignArtifactOptions, type SignOptions } from './verbs/sign.ts'
export { createVerifier, verify, type VerifyOptions } from './verbs/verify.ts'
