import { encodeUtf8 } from '../../../bytes/text.ts'
import { SpindleError } from '../../../errors.ts'
import type { HostInterface } from '../../component/abi/items.ts'
import { sizeOf, walk, type DirectoryNode, type Node, type PathError } from './file-system.ts'
import {
  RIGHT_WRITE,
  typeOf,
  writeDescriptorStat,
  writeFileStat,
  type OpenFile,
} from './preview1-descriptor.ts'
import { ERRNO, type GuestMemory } from './preview1-memory.ts'

const PATH_ERRNO: Readonly<Record<PathError, number>> = {
  'no-entry': ERRNO.noent,
  'not-directory': ERRNO.notdir,
  'not-permitted': ERRNO.notcapable,
  invalid: ERRNO.inval,
  'name-too-long': ERRNO.nametoolong,
}

// Far above what a request needs.
const MAX_FILES = 4096
// Of one write.
const MAX_WRITE_BYTES = 1024 * 1024
// More characters than a path may have, whatever they are.
const MAX_PATH_BYTES = 4 * 4096

/** With itself and its parent, as Wasmtime lists them: of the parent no number is known. */
function entriesOf(
  directory: DirectoryNode,
): Array<readonly [name: string, node: Node, id: number]> {
  return [
    ['.', directory, directory.id],
    ['..', directory, 0],
    ...Array.from(directory.entries, ([name, node]) => [name, node, node.id] as const),
  ]
}

/** `fd_…` and `path_…`, over `files`, which are those that are open from the start. */
export function createFileFunctions(
  guest: GuestMemory,
  files: Array<OpenFile | undefined>,
): HostInterface['functions'] {
  const { bytes, text, u32, u64, vectors } = guest

  const nodeAt = (fd: number): Extract<OpenFile, { kind: 'node' }> | undefined => {
    const file = files[fd]
    return file?.kind === 'node' ? file : undefined
  }
  const find = (fd: number, path: number, length: number): Node | number => {
    const file = nodeAt(fd)
    if (file === undefined) return ERRNO.badf
    if (file.node.kind !== 'directory') return ERRNO.notdir
    // Checked before the path is decoded.
    if (length >>> 0 > MAX_PATH_BYTES) return ERRNO.nametoolong
    const found = walk(file.node, text(path, length))
    return typeof found === 'string' ? PATH_ERRNO[found] : found
  }
  const readInto = (
    fd: number,
    list: Uint8Array[],
    position: number | undefined,
    out: number,
  ): number => {
    const file = files[fd]
    if (file === undefined || file.kind === 'out') return ERRNO.badf
    let total = 0
    if (file.kind === 'in') {
      for (const target of list) {
        const part = file.stream.read(target.length) ?? new Uint8Array()
        target.set(part)
        total += part.length
        if (part.length < target.length) break
      }
    } else if (file.node.kind !== 'file') return ERRNO.isdir
    else {
      const start = position ?? file.position
      for (const target of list) {
        const part = file.node.bytes.subarray(start + total, start + total + target.length)
        target.set(part)
        total += part.length
      }
      if (position === undefined) file.position += total
    }
    u32(out, total)
    return ERRNO.success
  }
  const seek = (fd: number, offset: bigint, whence: number, out: number): number => {
    const file = files[fd]
    if (file === undefined) return ERRNO.badf
    if (file.kind !== 'node') return ERRNO.spipe
    const from = [0, file.position, sizeOf(file.node)][whence]
    const next = from === undefined ? -1 : from + Number(offset)
    if (next < 0 || !Number.isSafeInteger(next)) return ERRNO.inval
    file.position = next
    u64(out, BigInt(next))
    return ERRNO.success
  }
  const open = (
    fd: number,
    _: number,
    path: number,
    length: number,
    how: number,
    rights: bigint,
    __: bigint,
    flags: number,
    out: number,
  ): number => {
    const found = find(fd, path, length)
    const creates = (how & 1) !== 0
    if (typeof found === 'number') return found === ERRNO.noent && creates ? ERRNO.rofs : found
    if (creates && (how & 4) !== 0) return ERRNO.exist
    // Truncate, append or write-only. A file opened for reading and writing is opened for reading.
    if (
      (how & 8) !== 0 ||
      (flags & 1) !== 0 ||
      ((rights & RIGHT_WRITE) !== 0n && found.kind === 'file')
    )
      return ERRNO.rofs
    if ((how & 2) !== 0 && found.kind !== 'directory') return ERRNO.notdir
    const free = files.indexOf(undefined, 3)
    const index = free === -1 ? files.length : free
    if (index >= MAX_FILES)
      throw new SpindleError('ERR_LIMIT_EXCEEDED', `component opens more than ${MAX_FILES} files`)
    files[index] = { kind: 'node', node: found, preopen: false, position: 0 }
    u32(out, index)
    return ERRNO.success
  }
  const readDirectory = (
    fd: number,
    at: number,
    size: number,
    cookie: bigint,
    out: number,
  ): number => {
    const file = nodeAt(fd)
    if (file === undefined) return ERRNO.badf
    if (file.node.kind !== 'directory') return ERRNO.notdir
    const target = bytes(at, size)
    let used = 0
    let next = Number(cookie)
    for (const [name, node, id] of entriesOf(file.node).slice(next)) {
      const encoded = encodeUtf8(name)
      const entry = new Uint8Array(24 + encoded.length)
      const view = new DataView(entry.buffer)
      view.setBigUint64(0, BigInt(++next), true)
      view.setBigUint64(8, BigInt(id), true)
      view.setUint32(16, encoded.length, true)
      view.setUint8(20, typeOf(node))
      entry.set(encoded, 24)
      // Truncated at the end of the buffer: the guest calls again with the last cookie.
      target.set(entry.subarray(0, target.length - used), used)
      used += Math.min(entry.length, target.length - used)
      if (used === target.length) break
    }
    u32(out, used)
    return ERRNO.success
  }
  const readOnly = (): number => ERRNO.rofs
  const known = (fd: number): number => (files[fd] === undefined ? ERRNO.badf : ERRNO.success)

  return {
    fd_read: (fd: number, at: number, count: number, out: number) =>
      readInto(fd, vectors(at, count), undefined, out),
    fd_pread: (fd: number, at: number, count: number, offset: bigint, out: number) =>
      readInto(fd, vectors(at, count), Number(BigInt.asUintN(64, offset)), out),
    fd_write(fd: number, at: number, count: number, out: number) {
      const file = files[fd]
      if (file?.kind === 'node') return file.node.kind === 'file' ? ERRNO.rofs : ERRNO.badf
      if (file?.kind !== 'out') return ERRNO.badf
      let total = 0
      for (const part of vectors(at, count)) {
        // The list can name the same bytes repeatedly, so one call is bounded; the guest writes the rest again.
        const piece = part.slice(0, MAX_WRITE_BYTES - total)
        file.stream.write(piece)
        total += piece.length
      }
      u32(out, total)
      return ERRNO.success
    },
    fd_pwrite: readOnly,
    fd_seek: seek,
    fd_tell: (fd: number, out: number) => seek(fd, 0n, 1, out),
    fd_close(fd: number) {
      if (files[fd] === undefined) return ERRNO.badf
      files[fd] = undefined
      return ERRNO.success
    },
    fd_renumber(from: number, to: number) {
      if (files[from] === undefined || files[to] === undefined) return ERRNO.badf
      files[to] = files[from]
      files[from] = undefined
      return ERRNO.success
    },
    fd_fdstat_get(fd: number, at: number) {
      const file = files[fd]
      return file === undefined ? ERRNO.badf : writeDescriptorStat(guest, file, at)
    },
    fd_fdstat_set_flags: known,
    fd_fdstat_set_rights: known,
    fd_filestat_get: (fd: number, at: number) =>
      files[fd] === undefined ? ERRNO.badf : writeFileStat(guest, nodeAt(fd)?.node, at),
    fd_filestat_set_size: readOnly,
    fd_filestat_set_times: readOnly,
    fd_advise: known,
    fd_allocate: readOnly,
    fd_sync: known,
    fd_datasync: known,
    fd_prestat_get(fd: number, at: number) {
      if (nodeAt(fd)?.preopen !== true) return ERRNO.badf
      u32(at, 0)
      u32(at + 4, 1)
      return ERRNO.success
    },
    fd_prestat_dir_name(fd: number, at: number, length: number) {
      if (nodeAt(fd)?.preopen !== true) return ERRNO.badf
      if (length < 1) return ERRNO.nametoolong
      bytes(at, 1).set(encodeUtf8('/'))
      return ERRNO.success
    },
    fd_readdir: readDirectory,
    path_open: open,
    path_filestat_get(fd: number, _: number, path: number, length: number, at: number) {
      const found = find(fd, path, length)
      return typeof found === 'number' ? found : writeFileStat(guest, found, at)
    },
    path_readlink(fd: number, path: number, length: number) {
      const found = find(fd, path, length)
      return typeof found === 'number' ? found : ERRNO.inval
    },
    path_filestat_set_times: readOnly,
    path_create_directory: readOnly,
    path_remove_directory: readOnly,
    path_unlink_file: readOnly,
    path_link: readOnly,
    path_rename: readOnly,
    path_symlink: readOnly,
  }
}
