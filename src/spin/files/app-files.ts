import type { Content, FileTree } from '../../types.ts'

/** An application's folder within a tree: paths are from the manifest's folder. */
export interface AppFiles {
  readonly tree: FileTree
  /** The manifest's folder, with a `/` at its end; empty for the tree's top. */
  readonly root: string
  /** Sorted, all files below `root`, without it. */
  readonly paths: readonly string[]
  /** Folders that are known to be there, from `root`: empty ones have no files. */
  readonly folders: ReadonlySet<string>
}

export function createAppFiles(
  tree: FileTree,
  manifestPath: string,
  folders: Iterable<string> = [],
): AppFiles {
  const root = manifestPath.slice(0, manifestPath.lastIndexOf('/') + 1)
  const paths = [...tree.keys()]
    .filter((path) => path.startsWith(root))
    .map((path) => path.slice(root.length))
    .sort()
  const below = [...folders]
    .filter((path) => `${path}/`.startsWith(root))
    .map((path) => path.slice(root.length))
  return { tree, root, paths, folders: new Set(below) }
}

export function fileAt(files: AppFiles, path: string): Uint8Array | Content | undefined {
  return files.tree.get(files.root + path)
}

/** All files below a folder, as paths from the application's folder; `''` is that folder itself. */
export function filesBelow(files: AppFiles, folder: string): readonly string[] {
  if (folder === '') return files.paths
  const prefix = `${folder}/`
  const start = firstFrom(files.paths, prefix)
  let end = start
  while (files.paths[end]?.startsWith(prefix) === true) end++
  return files.paths.slice(start, end)
}

/** Index of the first of sorted paths that is not before a text. */
export function firstFrom(paths: readonly string[], text: string): number {
  let low = 0
  let high = paths.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((paths[middle] as string) < text) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * Takes `.` and `..` out of a relative path.
 * @returns `undefined` for one that is absolute or leads out of the folder that it is from.
 */
export function resolvePath(path: string): string | undefined {
  if (path.startsWith('/')) return undefined
  const segments: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue
    if (segment !== '..') segments.push(segment)
    else if (segments.pop() === undefined) return undefined
  }
  return segments.join('/')
}
