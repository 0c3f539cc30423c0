import type { Content, FileTree } from '../../types.ts'
import { folderOfFiles, type SourceFolder } from './source-folder.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { createTreeBuilder, type TreeLimits } from './tree-builder.ts'

/** What of the DOM's `File` is used: `input.files` fits as it is. */
export interface UploadedFile extends Content {
  readonly name: string
  /** Path below the chosen folder, that folder first; empty when single files were chosen. */
  readonly webkitRelativePath?: string
}

/**
 * Files of an `<input type="file">`, with `webkitdirectory` or without.
 *
 * The chosen folder's own name is dropped: what was chosen is the application, whatever its
 * folder is called on this machine.
 */
export function openFileList(files: Iterable<UploadedFile>): SourceFolder {
  const named = [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }))
  const top = commonFolder(named.map(({ path }) => path))
  return folderOfFiles(named.map(({ path, file }) => [path.slice(top.length), file]))
}

/** The first folder with its slash when all paths lie in it, else an empty string. */
export function commonFolder(paths: readonly string[]): string {
  const first = paths[0] ?? ''
  const top = first.slice(0, first.indexOf('/') + 1)
  // A top that is no plain name stays, so that the path is refused for what it is.
  if (top === '' || top === '/' || top === '../sources/' || top === '../') return ''
  return paths.every((path) => path.startsWith(top)) ? top : ''
}

/** Paths to contents; a string is its UTF-8. */
export type FileRecord = Readonly<Record<string, Uint8Array | Content | string>>

/** Reads entries of a map or a record; `entries` are looked at once, before anything is awaited. */
export function readEntries(
  entries: Iterable<readonly [string, unknown]>,
  limits: TreeLimits,
): FileTree {
  const builder = createTreeBuilder(limits)
  for (const [path, value] of entries) builder.add(path, contentOf(path, value))
  return builder.tree
}

function contentOf(path: string, value: unknown): Uint8Array | Content {
  if (typeof value === 'string') return encodeUtf8(value)
  if (value instanceof Uint8Array) return value
  if (isContent(value)) return value
  throw new TypeError(
    `the content of ${JSON.stringify(path)} must be a string, a Uint8Array or a Blob`,
  )
}

export function isContent(value: unknown): value is Content {
  return (
    typeof value === 'object' &&
    value !== null &&
    'size' in value &&
    typeof value.size === 'number' &&
    'stream' in value &&
    typeof value.stream === 'function'
  )
}
