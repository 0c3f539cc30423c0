import { sizeOf, type Node } from './file-system.ts'
import { ERRNO, type GuestMemory } from './preview1-memory.ts'
import type { InputStream, OutputStream } from './streams.ts'

/** An open file of the descriptor table. */
export type OpenFile =
  | { readonly kind: 'in'; readonly stream: InputStream }
  | { readonly kind: 'out'; readonly stream: OutputStream }
  | { readonly kind: 'node'; readonly node: Node; readonly preopen: boolean; position: number }

const CHARACTER_DEVICE = 2
const DIRECTORY = 3
const REGULAR_FILE = 4
const RIGHT_READ = 2n
const RIGHT_SEEK = 4n
const RIGHT_TELL = 32n
export const RIGHT_WRITE = 64n
const RIGHTS_DIRECTORY = 0x2002n | (1n << 14n) | (1n << 15n) | (1n << 18n) | (1n << 21n)

export function typeOf(node: Node): number {
  return node.kind === 'file' ? REGULAR_FILE : DIRECTORY
}

/** Writes a `filestat`; without a node, that of a stream. */
export function writeFileStat(
  { bytes, data, u64 }: GuestMemory,
  node: Node | undefined,
  at: number,
): number {
  bytes(at, 64).fill(0)
  u64(at + 8, BigInt(node?.id ?? 0))
  data().setUint8((at >>> 0) + 16, node === undefined ? CHARACTER_DEVICE : typeOf(node))
  u64(at + 24, 1n)
  u64(at + 32, BigInt(node === undefined ? 0 : sizeOf(node)))
  return ERRNO.success
}

/** Writes an `fdstat`: file type and rights. */
export function writeDescriptorStat(
  { bytes, data, u64 }: GuestMemory,
  file: OpenFile,
  at: number,
): number {
  bytes(at, 24).fill(0)
  const [type, rights] =
    file.kind === 'node'
      ? [
          typeOf(file.node),
          file.node.kind === 'directory'
            ? RIGHTS_DIRECTORY
            : RIGHT_READ | RIGHT_SEEK | RIGHT_TELL | (1n << 21n),
        ]
      : [CHARACTER_DEVICE, file.kind === 'in' ? RIGHT_READ : RIGHT_WRITE]
  data().setUint8(at >>> 0, type)
  u64(at + 8, rights)
  // Inheriting rights include writing, so that opening for writing fails instead of losing the right.
  u64(
    at + 16,
    file.kind === 'node'
      ? RIGHTS_DIRECTORY | RIGHT_READ | RIGHT_SEEK | RIGHT_TELL | RIGHT_WRITE
      : rights,
  )
  return ERRNO.success
}
