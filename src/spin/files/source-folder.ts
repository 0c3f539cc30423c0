import { quotePath } from '../../bytes/path.ts'
import { AppInvalid } from '../../errors.ts'
import type { Content } from '../../types.ts'

/** A folder that is looked into only where a manifest leads, so that what lies beside costs nothing. */
export interface SourceFolder {
  readonly kind: 'folder'
  /** Names of all that is in it. */
  names(): Promise<readonly string[]>
  /** What has a name in it; `undefined` for nothing. */
  find(name: string): Promise<SourceEntry | undefined>
}

export interface SourceFile {
  readonly kind: 'file'
  open(): Promise<Content>
}

/** A link that leads out of the application. */
export interface SourceExit {
  readonly kind: 'exit'
  /** Fails with the reason when it is read. */
  readonly refused: Content
  /** Where it leads, if Wasm may be taken from there. */
  readonly target?: SourceFolder | SourceFile
}

export type SourceEntry = SourceFolder | SourceFile | SourceExit

/** What an `AppSource` is, once it is known which. */
export function isSourceFolder(value: object): value is SourceFolder {
  return 'kind' in value && value.kind === 'folder' && 'names' in value && 'find' in value
}

/** Files by path as a folder. Paths are kept as they are: bad ones, and those that occur twice, are told when they are used. */
export function folderOfFiles(files: Iterable<readonly [string, Content]>): SourceFolder {
  interface Node {
    readonly folders: Map<string, Node>
    readonly files: Map<string, Content>
  }
  const createNode = (): Node => ({ folders: new Map(), files: new Map() })
  const top = createNode()
  const again = new Set<Content>()
  for (const [path, content] of files) {
    const segments = path.split('/')
    const name = segments.pop() as string
    let node = top
    for (const segment of segments) {
      const next = node.folders.get(segment) ?? createNode()
      node.folders.set(segment, next)
      node = next
    }
    if (node.files.has(name)) again.add(content)
    node.files.set(name, content)
  }
  const open = (node: Node, prefix: string): SourceFolder => ({
    kind: 'folder',
    names: async () => [...node.folders.keys(), ...node.files.keys()],
    async find(name) {
      const folder = node.folders.get(name)
      if (folder !== undefined) return open(folder, `${prefix}${name}/`)
      const file = node.files.get(name)
      if (file !== undefined && again.has(file)) throw twice(prefix + name)
      return file === undefined ? undefined : { kind: 'file', open: async () => file }
    },
  })
  return open(top, '')
}

export function twice(path: string): AppInvalid {
  const message = 'this path occurs twice; rename one of the two'
  return new AppInvalid([{ code: 'path-invalid', message, path: quotePath(path) }])
}
