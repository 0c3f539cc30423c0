import type { Content } from '../../types.ts'
import { folderOfFiles, type SourceFolder } from './source-folder.ts'

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
