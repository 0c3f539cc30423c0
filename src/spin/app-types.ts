/** The types of applications: `App`, `PulledApp` and each type that they name. */
export type { Json } from '../bytes/json.ts'
export type { Finding } from '../errors.ts'
export type {
  Content,
  ContentStore,
  CreateHasher,
  Descriptor,
  Digest,
  DigestAlgorithm,
  FileTree,
  Hasher,
  OperationOptions,
  ReadStore,
  TransferEvent,
  VerifiedSignature,
} from '../types.ts'
export type { PackedApp, PackOptions } from './artifact/pack.ts'
export type { ComponentContents, PulledApp, PulledComponent } from './artifact/pulled-app.ts'
export type {
  ContentRef,
  HostRequirements,
  LockedApp,
  LockedComponent,
  LockedDependency,
  LockedFile,
  LockedSource,
  LockedTrigger,
  LockedVariable,
  MustUnderstand,
} from './lock/locked-app.ts'
export type * from './manifest/app-manifest.ts'
export type * from './source/app.ts'
