import { readBytes } from '../../../bytes/read-bytes.ts'
import type { FileTree } from '../../../types.ts'

interface FileNode {
  readonly kind: 'file'
  readonly bytes: Uint8Array
  readonly id: number
}
export interface DirectoryNode {
  readonly kind: 'directory'
  readonly entries: ReadonlyMap<string, Node>
  readonly id: number
}
export type Node = FileNode | DirectoryNode

/** Why a path leads nowhere, in the words of `wasi:filesystem`. */
export type PathError = 'no-entry' | 'not-directory' | 'not-permitted' | 'invalid' | 'name-too-long'

// As most systems have them.
const MAX_PATH = 4096
const MAX_NAME = 255

/**
 * The files of one component as a tree in memory. It never changes: guests see a read-only mount.
 *
 * Contents are read in full here, because a guest that reads a file can't always wait.
 */
export async function loadFileSystem(files: FileTree): Promise<DirectoryNode> {
  let count = 0
  const directory = (): DirectoryNode & { entries: Map<string, Node> } => ({
    kind: 'directory',
    entries: new Map(),
    id: ++count,
  })
  const root = directory()
  for (const [path, content] of files) {
    const names = path.split('/').filter((name) => name !== '' && name !== '.')
    const last = names.pop()
    if (last === undefined) continue
    let parent = root
    for (const name of names) {
      let next = parent.entries.get(name)
      if (next?.kind !== 'directory') parent.entries.set(name, (next = directory()))
      parent = next as typeof parent
    }
    parent.entries.set(last, { kind: 'file', bytes: await readBytes(content), id: ++count })
  }
  return root
}

/**
 * What a path leads to from an opened directory. `..` never leads out of it: a path that would is
 * refused, not clamped, as are absolute paths.
 */
export function walk(from: DirectoryNode, path: string): Node | PathError {
  if (path === '') return 'no-entry'
  if (path.includes('\0')) return 'invalid'
  if (path.length > MAX_PATH) return 'name-too-long'
  if (path.startsWith('/')) return 'not-permitted'
  const trail: Node[] = [from]
  for (const name of path.split('/')) {
    const here = trail[trail.length - 1]
    if (here?.kind !== 'directory') return 'not-directory'
    if (name === '' || name === '.') continue
    if (name === '..') {
      if (trail.length === 1) return 'not-permitted'
      trail.pop()
      continue
    }
    if (name.length > MAX_NAME) return 'name-too-long'
    const next = here.entries.get(name)
    if (next === undefined) return 'no-entry'
    trail.push(next)
  }
  return trail[trail.length - 1] as Node
}

export function sizeOf(node: Node): number {
  return node.kind === 'file' ? node.bytes.length : 0
}
