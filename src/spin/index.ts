/** What an application is, from its files to its artifact and back. Exported as `spindle/app`. */
export type * from '../types.ts'
export type * from './app-manifest.ts'
export { readAppSource, type AppSource, type ReadAppSourceOptions } from './app-source.ts'
export type * from './app.ts'
export { formatLockedApp } from './format-locked-app.ts'
export { loadApp, type LoadAppOptions } from './load-app.ts'
export { lockApp, type LockAppOptions } from './lock.ts'
export type * from './locked-app.ts'
export {
  parseAppManifest,
  type ParseAppManifestOptions,
  type ParseAppManifestResult,
} from './manifest.ts'
export { normalizeManifest, type NormalizeOptions } from './normalize.ts'
export { INLINE_BYTES, MAX_LAYERS, packApp, type PackedApp, type PackOptions } from './pack.ts'
export { parseLockedApp } from './parse-locked-app.ts'
export type { PulledApp } from './pulled-app.ts'
export type { DirectoryHandle } from './sources/directory-handle.ts'
export type { DropData } from './sources/drop.ts'
export type { UploadedFile } from './sources/files.ts'
export type { SourceEntry, SourceExit, SourceFile, SourceFolder } from './sources/source-folder.ts'
export type { FileRecord } from './sources/record.ts'
export { readImage } from './read-image.ts'
export type { ReadImage } from './pulled-app.ts'
export { unpackApp, type UnpackOptions } from './unpack.ts'
export type { PackageResolver, WasmPackage, WasmSourceOptions } from './wasm-source.ts'
