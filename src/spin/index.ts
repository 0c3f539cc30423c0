/** What an application is, from its files to its artifact and back. Exported as `spindle/app`. */
export { readBytes } from '../bytes/read-bytes.ts'
export type { SliceableContent } from '../bytes/sliceable.ts'
export type { FetchLike, PacedStore } from '../types.ts'
export type * from './app-types.ts'
export { readAppSource, type AppSource, type ReadAppSourceOptions } from './source/app-source.ts'
export { formatLockedApp } from './lock/format-locked-app.ts'
export { loadApp, type LoadAppOptions } from './source/load-app.ts'
export { lockApp, type LockAppOptions } from './source/lock-app.ts'
export type { LockResult } from './lock/locked-app.ts'
export {
  parseAppManifest,
  type ParseAppManifestOptions,
  type ParseAppManifestResult,
} from './manifest/manifest.ts'
export { normalizeManifest, type NormalizeOptions } from './manifest/normalize.ts'
export {
  INLINE_BYTES,
  MAX_LAYERS,
  packApp,
  type PackedApp,
  type PackOptions,
} from './artifact/pack.ts'
export { parseLockedApp } from './lock/parse-locked-app.ts'
export type { DirectoryHandle } from './files/directory-handle.ts'
export type { DropData } from './files/drop.ts'
export type { UploadedFile } from './files/files.ts'
export type { SourceEntry, SourceExit, SourceFile, SourceFolder } from './files/source-folder.ts'
export type { FileRecord } from './files/files.ts'
export { readImage } from './source/read-image.ts'
export type { ReadImage } from './artifact/pulled-app.ts'
export { unpackApp, type UnpackOptions } from './artifact/unpack.ts'
export type { PackageResolver, WasmPackage, WasmSourceOptions } from './source/wasm-source.ts'
