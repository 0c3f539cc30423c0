import type { Content, FileTree } from '../../types.ts'
import { createTreeBuilder, type TreeLimits } from '../tree-builder.ts'

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
export function readFileList(files: Iterable<UploadedFile>, limits: TreeLimits): FileTree {
  const named = [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }))
  const top = commonFolder(named.map(({ path }) => path))
  const builder = createTreeBuilder(limits)
  for (const { path, file } of named) builder.add(path.slice(top.length), file)
  return builder.tree
}

/** The first folder with its slash when all paths lie in it, else an empty string. */
export function commonFolder(paths: readonly string[]): string {
  const first = paths[0] ?? ''
  const top = first.slice(0, first.indexOf('/') + 1)
  // A top that is no plain name stays, so that the path is refused for what it is.
  if (top === '' || top === '/' || top === './' || top === '../') return ''
  return paths.every((path) => path.startsWith(top)) ? top : ''
}
