import type { SliceableContent } from '../../bytes/sliceable.ts'
import type { Content, FileTree } from '../../types.ts'
import { type DirectoryHandle, openDirectoryHandle } from '../files/directory-handle.ts'
import { type DropData, openDrop } from '../files/drop.ts'
import {
  openFileList,
  type UploadedFile,
  type FileRecord,
  isContent,
  readEntries,
} from '../files/files.ts'
import { isSourceFolder, type SourceFolder } from '../files/source-folder.ts'
import { openZip } from '../files/zip.ts'
import { pickFiles } from '../files/pick-files.ts'
import { createTreeBuilder, type TreeLimits } from '../files/tree-builder.ts'
import { exactly } from '../files/wanted-files.ts'

/**
 * Where an application's files come from: a map or record of paths, the files of an `<input>`,
 * a drop's `DataTransfer`, a `FileSystemDirectoryHandle`, a zip as a `Blob` or bytes, or in Node what
 * `openDirectory` gives.
 */
export type AppSource =
  | FileTree
  | FileRecord
  | Iterable<UploadedFile>
  | DirectoryHandle
  | DropData
  | SourceFolder
  | SliceableContent
  | Uint8Array

export interface ReadAppSourceOptions {
  /** Most bytes of all files together. Default 256 MiB for a zip, unlimited otherwise: files stay where they are. */
  maxBytes?: number
  /** Most files. Default 200000. */
  maxFiles?: number
  signal?: AbortSignal
}

/**
 * Reads any `AppSource` into one tree of checked paths; contents are read only when needed.
 *
 * Exported from `spindle/app`. Call it synchronously from a drop handler:
 * a drop's entries are taken before the first `await`.
 *
 * @example Files of a folder chosen in a page
 * ```ts
 * const tree = await readAppSource(input.files)
 * ```
 *
 * Rejects with `ERR_APP_INVALID` for a path that leads out of the tree or occurs twice,
 * `ERR_LIMIT_EXCEEDED`, `ERR_FILE_MISSING` for what can't be read, and `ERR_CONTENT_INVALID` or
 * `ERR_UNSUPPORTED` for a zip that lies, or that holds links or encrypted entries.
 */
export async function readAppSource(
  source: AppSource,
  options: ReadAppSourceOptions = {},
): Promise<FileTree> {
  const opened = await openAppSource(source, options)
  if (!isSourceFolder(opened)) return opened
  const { files } = await pickFiles(opened, [exactly('', 'file', true)], options, options.signal)
  const builder = createTreeBuilder(options)
  for (const [path, content] of files) builder.add(path, content)
  return builder.tree
}

/**
 * The files of an `AppSource`, or a folder to look them up in where they are not listed already. Takes
 * a drop's entries before its first `await`.
 */
export async function openAppSource(
  source: AppSource,
  options: ReadAppSourceOptions,
): Promise<FileTree | SourceFolder> {
  const { signal } = options
  const limits: TreeLimits = { maxBytes: options.maxBytes, maxFiles: options.maxFiles }
  signal?.throwIfAborted()
  if (typeof source !== 'object' || source === null) {
    throw new TypeError(
      '"source" must be files: a map or record of paths, File objects, a drop, a directory handle or a zip; in Node use openDirectory for a path',
    )
  }
  if (source instanceof Uint8Array || isSliceable(source)) return openZip(source, limits, signal)
  if (isSourceFolder(source)) return source
  if (isDirectoryHandle(source)) return openDirectoryHandle(source, signal)
  if (isDrop(source)) {
    const { folder, only } = openDrop(source)
    const file = await only?.()
    return isZipFile(file) ? openZip(file, limits, signal) : folder
  }
  if (isMap(source)) return readEntries(source, limits)
  if (Symbol.iterator in source) {
    const files = [...(source as Iterable<UploadedFile>)]
    const only = files.length === 1 ? files[0] : undefined
    return isZipFile(only) ? openZip(only, limits, signal) : openFileList(files)
  }
  return readEntries(Object.entries(source), limits)
}

// A page's user can't say "this file is the application": one zip, chosen or dropped alone, is.
function isZipFile(file: UploadedFile | undefined): file is UploadedFile & SliceableContent {
  return file !== undefined && /\.zip$/i.test(file.name) && isSliceable(file)
}

function isSliceable(value: object): value is SliceableContent {
  return isContent(value) && 'slice' in value && typeof value.slice === 'function'
}

function isDirectoryHandle(value: object): value is DirectoryHandle {
  return (
    'kind' in value &&
    value.kind === 'directory' &&
    'entries' in value &&
    typeof value.entries === 'function'
  )
}

function isDrop(value: object): value is DropData {
  const items: unknown = 'items' in value ? value.items : undefined
  return (
    typeof items === 'object' &&
    items !== null &&
    !(items instanceof Uint8Array) &&
    'length' in items
  )
}

function isMap(value: object): value is ReadonlyMap<string, Uint8Array | Content> {
  return (
    'get' in value &&
    typeof value.get === 'function' &&
    'entries' in value &&
    Symbol.iterator in value
  )
}
