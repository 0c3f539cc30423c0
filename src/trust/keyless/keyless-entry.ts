/** `spindle/keyless`: keyless signing. */
export { requestIdentityToken, type DeviceFlowOptions, type DevicePrompt } from './device-flow.ts'
export {
  createKeylessSigner,
  createCountersigner,
  type KeylessOptions,
  type CountersignerOptions,
} from './keyless.ts'
export type { FetchLike } from '../../types.ts'
export type { InclusionProof, LogEntry } from '../log/transparency-log.ts'
export type { LogService } from '../services/log-client.ts'
export type { ServiceOptions } from '../wire/service-request.ts'
export type {
  CertifyingSigner,
  FreshSignature,
  Countersignatures,
  Countersigner,
} from '../cosign/sign-artifact.ts'
export type { Signer } from '../keys/signer.ts'
export { parseSigningConfig, publicGoodServices, type SigningServices } from './signing-config.ts'
