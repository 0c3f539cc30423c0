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

/** Why a path does not resolve, as an error code of `wasi:filesystem`. */
export type PathError = 'no-entry' | 'not-directory' | 'not-permitted' | 'invalid' | 'name-too-long'

// The limits of most operating systems.
const MAX_PATH = 4096
const MAX_NAME = 255

/**
 * The files of one component as a tree in memory. It never changes: guests see a read-only mount.
 *
 * Contents are buffered here, because a guest cannot always wait while it reads a file.
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
 * Resolves a path from an opened directory. A path that leaves it by `..`, and an absolute path, is
 * rejected, not clamped.
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
