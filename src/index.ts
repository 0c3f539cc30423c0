/** Everything that runs everywhere, in one import. Node's own parts are in `spindle/node`. */
export * from './errors.ts'
export type * from './types.ts'
export { type AppSource, readAppSource, type ReadAppSourceOptions } from './spin/app-source.ts'
export type { DirectoryHandle } from './spin/sources/directory-handle.ts'
export type { DropData } from './spin/sources/drop.ts'
export type { UploadedFile } from './spin/sources/files.ts'
export type { FileRecord } from './spin/sources/record.ts'
export type { ZipSource } from './bytes/zip.ts'
