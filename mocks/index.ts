/** Registries for tests, without a network. Exported as `spindle/mocks`. */
export { registryHandlers, type RegistryHandlersOptions } from './handlers.ts'
export type { JsonObject } from '../src/bytes/json.ts'
export type { FetchHandler } from '../src/types.ts'
export type { Extension } from './sigstore/certificates.ts'
export type { CertificateFlaws, Fulcio } from './sigstore/fulcio.ts'
export {
  type AuthorityJson,
  createSigstoreInstance,
  type InstanceServices,
  type LogJson,
  type SigstoreFlaws,
  type SigstoreInstance,
  type SigstoreInstanceOptions,
  type TrustedRootJson,
} from './sigstore/instance.ts'
export type { RekorFlaw, RekorLog } from './sigstore/rekor.ts'
export type { TimestampAuthority, TimestampFlaws } from './sigstore/timestamp-authority.ts'
