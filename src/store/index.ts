/** Stores for artifacts outside registries. Exported as `spindle/store`. */
export { createDigestStreamHasher, type DigestStreamConstructor } from '../bytes/digest.ts'
export { readBytes } from '../bytes/read-bytes.ts'
export type { SliceableContent } from '../bytes/sliceable.ts'
export type {
  BodySource,
  Content,
  ContentStore,
  CreateHasher,
  Descriptor,
  Digest,
  DigestAlgorithm,
  Hasher,
  OperationOptions,
  ReadStore,
  ReferrerStore,
  Store,
  TransferEvent,
  WholeStore,
} from '../types.ts'
export { type ContentKeeper, createContentCache } from './content-cache.ts'
export { readLayoutTar, type LayoutArchive } from './layout-tar.ts'
export { createLayoutStore, type LayoutFiles } from './layout.ts'
export { createMemoryStore } from './memory.ts'
