/** Everything about Bindle: model, client, signing, standalone form, and Spin's use of it. */
export type * from '../registry/remote-types.ts'
export type * from '../spin/app-types.ts'
export type { UnpackOptions } from '../spin/artifact/unpack.ts'
export type { ReadImage } from '../spin/artifact/pulled-app.ts'
export type { LockResult } from '../spin/lock/locked-app.ts'
export type { Location, Store } from '../types.ts'
export {
  createBindleClient,
  type BindleClient,
  type BindleClientOptions,
  type QueryOptions,
} from '../bindle/client.ts'
export type { BindleAuthorization, BindleCredentials } from '../bindle/credentials.ts'
export {
  filterParcels,
  type FilterOptions,
  globalParcels,
  parcelsInGroup,
} from '../bindle/filter.ts'
export { assertPushableId, type BindleId, canonicalName, parseBindleId } from '../bindle/id.ts'
export {
  formatInvoice,
  INVOICE_ROLES,
  parseInvoice,
  type Conditions,
  type Group,
  type Invoice,
  type InvoiceLimits,
  type InvoiceRole,
  type InvoiceSignature,
  type Label,
  type Parcel,
} from '../bindle/invoice.ts'
export {
  exportPublicKey,
  formatKeyring,
  formatSecretKeys,
  generateSecretKey,
  type Keyring,
  type KeyringEntry,
  mergeKeyrings,
  openSecretKey,
  parseKeyring,
  parseRole,
  parseSecretKeys,
  type SecretKeyEntry,
  type SecretKeys,
  selectSecretKey,
  verifyKeyLabel,
} from '../bindle/keyring.ts'
export {
  type BindleLoginOptions,
  createOidcCredentials,
  formatTokenFile,
  loginBindle,
  type OidcTokens,
  parseTokenFile,
} from '../bindle/oidc.ts'
export { openBindle } from '../bindle/open-bindle.ts'
export {
  pushStandalone,
  type PushStandaloneOptions,
  type PushStandaloneResult,
} from '../bindle/push-standalone.ts'
export { parseRange, parseVersion, type Version, type VersionRange } from '../bindle/semver.ts'
export {
  parseStrategy,
  signInvoice,
  type SignInvoiceOptions,
  type VerificationStrategy,
  type VerifiedInvoiceSigner,
  verifyInvoice,
  type VerifyInvoiceOptions,
} from '../bindle/signature.ts'
export {
  formatStandalone,
  packStandalone,
  parseStandalone,
  type StandaloneBindle,
  type StandaloneOptions,
  unpackStandalone,
} from '../bindle/standalone.ts'
export type { Ed25519Key } from '../bytes/ed25519.ts'
export { contentBuildInfo } from '../spin/source/build-info.ts'
export { bindleToLock } from '../spin/bindle/from-bindle.ts'
export { appToBindle, type ToBindleOptions } from '../spin/bindle/to-bindle.ts'
export {
  migrateBindle,
  type MigrateBindleOptions,
  type MigrateBindleResult,
  migrateBindles,
} from './migrate-bindle.ts'
export { prepareBindle } from './prepare-bindle.ts'
export {
  type BindlePolicy,
  type BindleSource,
  type BindleVerifier,
  pullBindle,
  type PullBindleOptions,
} from './pull-bindle.ts'
export { pushBindle, type PushBindleOptions } from './push-bindle.ts'
