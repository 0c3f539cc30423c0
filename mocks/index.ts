/** Registries for tests, without a network. Exported as `spindle/mocks`. */
export { registryHandlers, type RegistryHandlersOptions } from './handlers.ts'
export type { CertificateFlaws } from './sigstore/fulcio.ts'
export {
  createSigstoreInstance,
  type InstanceServices,
  type SigstoreFlaws,
  type SigstoreInstance,
  type SigstoreInstanceOptions,
  type TrustedRootJson,
} from './sigstore/instance.ts'
export type { RekorFlaw } from './sigstore/rekor.ts'
export type { TimestampFlaws } from './sigstore/timestamp-authority.ts'
