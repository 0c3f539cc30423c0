/** `spindle/serve`: servers as `fetch` handlers, and their storage. */
export type { InvoiceRole } from '../bindle/invoice.ts'
export type { Keyring, KeyringEntry, SecretKeyEntry } from '../bindle/keyring.ts'
export type { VerificationStrategy } from '../bindle/signature.ts'
export type {
  AuthScope,
  Content,
  CreateHasher,
  Credentials,
  Digest,
  DigestAlgorithm,
  FetchHandler,
  FetchLike,
  Hasher,
  Keychain,
} from '../types.ts'
export { formatChallenge, formatScope } from './http/authorize.ts'
export type { Authorization, Authorize, Challenge } from './http/authorize.ts'
export type { AcceptOptions } from './bindle/accept-invoice.ts'
export { authorizeBindleBasic } from './bindle/authorize.ts'
export type { BindleAccess, BindleAuthorize } from './bindle/authorize.ts'
export { collectBindleGarbage } from './bindle/collect-parcels.ts'
export type { BindleGarbageOptions, BindleGarbageReport } from './bindle/collect-parcels.ts'
export { createBindleHandler } from './bindle/handler.ts'
export type { BindleHandlerOptions, BindleLogin } from './bindle/handler.ts'
export { createBasicAuthorizer } from './http/basic.ts'
export type { AccessRules, Authenticate, BasicOptions } from './http/basic.ts'
export type { CorsOptions } from './http/cors.ts'
export type { HostNameOptions } from './http/host-names.ts'
export { collectGarbage } from './registry/gc/collect-garbage.ts'
export type { GarbageOptions, GarbageReport } from './registry/gc/collect-garbage.ts'
export type { Garbage } from './registry/gc/collection.ts'
export { createRegistryHandler } from './registry/handler.ts'
export type { RegistryHandlerOptions, TokenEndpoint } from './registry/handler.ts'
export { isPublicAddress } from './relay/address.ts'
export {
  createRelayHandler,
  MAX_RELAY_BODY_BYTES,
  MAX_RELAY_REQUESTS_PER_MINUTE,
} from './relay/handler.ts'
export type { RelayHandlerOptions, RelayLimits, RelayRule } from './relay/handler.ts'
export type { ResolveHost } from './relay/registries.ts'
export { createMemoryStorage } from './storage/memory.ts'
export type { MemoryStorageOptions } from './storage/memory.ts'
export { createR2Storage } from './storage/r2.ts'
export type {
  R2BucketBinding,
  R2Condition,
  R2Head,
  R2Part,
  R2StorageOptions,
  R2Upload,
} from './storage/r2.ts'
export { assertStorageKey, canMove, listAll } from './storage/port.ts'
export type {
  GetOptions,
  ListOptions,
  ListResult,
  MovingStorage,
  PutOptions,
  PutResult,
  Storage,
  StorageBody,
  StoredHead,
  StoredInfo,
  StoredRange,
  StoredValue,
} from './storage/port.ts'
export { createTokenService } from './token-service.ts'
export type { TokenService, TokenServiceOptions } from './token-service.ts'
