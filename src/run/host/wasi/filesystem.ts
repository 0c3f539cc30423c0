import type { HostInterface } from '../../component/abi/items.ts'
import { sizeOf, walk, type DirectoryNode, type Node } from './file-system.ts'
import { err, ok, type Result } from './result.ts'
import { createBytesInput } from './streams.ts'

/** An opened file or directory. */
interface Descriptor {
  readonly node: Node
}

interface OpenFlags {
  readonly create: boolean
  readonly directory: boolean
  readonly exclusive: boolean
  readonly truncate: boolean
}
interface DescriptorFlags {
  readonly write: boolean
  readonly mutateDirectory: boolean
}

const READ_ONLY = err('read-only')
const refuse = (): Result => READ_ONLY

// Bytes per read.
const MAX_AT_ONCE = 1_048_576n

function at(descriptor: Descriptor, path: string): Node | Result {
  if (descriptor.node.kind !== 'directory') return err('not-directory')
  const found = walk(descriptor.node, path)
  return typeof found === 'string' ? err(found) : found
}

function isNode(value: Node | Result): value is Node {
  return 'kind' in value
}

function typeOf(node: Node): string {
  return node.kind === 'file' ? 'regular-file' : 'directory'
}

function stat(node: Node): Result {
  return ok({ type: typeOf(node), linkCount: 1n, size: BigInt(sizeOf(node)) })
}

function hash(node: Node): Result {
  return ok({ lower: BigInt(node.id), upper: 0n })
}

function open(
  self: Descriptor,
  _: unknown,
  path: string,
  how: OpenFlags,
  flags: DescriptorFlags,
): Result {
  const found = at(self, path)
  if (!isNode(found)) return found.val === 'no-entry' && how.create ? READ_ONLY : found
  if (how.create && how.exclusive) return err('exist')
  if (how.truncate || flags.write || flags.mutateDirectory) return READ_ONLY
  if (how.directory && found.kind !== 'directory') return err('not-directory')
  return ok({ node: found } satisfies Descriptor)
}

function read({ node }: Descriptor, length: bigint, offset: bigint): Result {
  if (node.kind !== 'file') return err('is-directory')
  const size = BigInt(node.bytes.length)
  const start = offset < size ? offset : size
  const most = length < MAX_AT_ONCE ? length : MAX_AT_ONCE
  const part = node.bytes.subarray(Number(start), Number(start + most))
  return ok([part, start + BigInt(part.length) >= size])
}

/** Returns an iterator, so that entries are read one by one. */
function readDirectory({ node }: Descriptor): Result {
  if (node.kind !== 'directory') return err('not-directory')
  return ok(node.entries.entries())
}

const types: HostInterface = {
  functions: {
    '[method]descriptor.read-via-stream': ({ node }: Descriptor, offset: bigint) =>
      node.kind === 'file'
        ? ok(createBytesInput(node.bytes.subarray(Number(offset))))
        : err('is-directory'),
    '[method]descriptor.read': read,
    '[method]descriptor.get-flags': () => ok({ read: true }),
    '[method]descriptor.get-type': ({ node }: Descriptor) => ok(typeOf(node)),
    '[method]descriptor.stat': ({ node }: Descriptor) => stat(node),
    '[method]descriptor.stat-at': (self: Descriptor, _: unknown, path: string) => {
      const found = at(self, path)
      return isNode(found) ? stat(found) : found
    },
    '[method]descriptor.open-at': open,
    '[method]descriptor.read-directory': readDirectory,
    '[method]directory-entry-stream.read-directory-entry': (entries: Iterator<[string, Node]>) => {
      const next = entries.next()
      return ok(
        next.done === true ? undefined : { type: typeOf(next.value[1]), name: next.value[0] },
      )
    },
    '[method]descriptor.readlink-at': (self: Descriptor, path: string) => {
      const found = at(self, path)
      return isNode(found) ? err('invalid') : found
    },
    '[method]descriptor.is-same-object': (self: Descriptor, other: Descriptor) =>
      self.node === other.node,
    '[method]descriptor.metadata-hash': ({ node }: Descriptor) => hash(node),
    '[method]descriptor.metadata-hash-at': (self: Descriptor, _: unknown, path: string) => {
      const found = at(self, path)
      return isNode(found) ? hash(found) : found
    },
    '[method]descriptor.advise': () => ok(),
    '[method]descriptor.sync': () => ok(),
    '[method]descriptor.sync-data': () => ok(),
    '[method]descriptor.write-via-stream': refuse,
    '[method]descriptor.append-via-stream': refuse,
    '[method]descriptor.write': refuse,
    '[method]descriptor.set-size': refuse,
    '[method]descriptor.set-times': refuse,
    '[method]descriptor.set-times-at': refuse,
    '[method]descriptor.create-directory-at': refuse,
    '[method]descriptor.remove-directory-at': refuse,
    '[method]descriptor.link-at': refuse,
    '[method]descriptor.rename-at': refuse,
    '[method]descriptor.symlink-at': refuse,
    '[method]descriptor.unlink-file-at': refuse,
    'filesystem-error-code': () => undefined,
  },
}

/** `wasi:filesystem` over one read-only mount at `/`; without files there is none. */
export function createFilesystem(
  root: DirectoryNode | undefined,
): Readonly<Record<string, HostInterface>> {
  const directories = (): unknown =>
    root === undefined ? [] : [[{ node: root } satisfies Descriptor, '/']]
  return {
    'wasi:filesystem/types': types,
    'wasi:filesystem/preopens': { functions: { 'get-directories': directories } },
  }
}
