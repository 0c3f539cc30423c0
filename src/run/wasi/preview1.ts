import { encodeUtf8 } from '../../bytes/text.ts'
import { SpindleError } from '../../errors.ts'
import type { HostInterface } from '../component/items.ts'
import type { ExitSignal } from './cli.ts'
import { monotonicNow } from './clocks.ts'
import { sizeOf, walk, type DirectoryNode, type Node, type PathError } from './file-system.ts'
import { createGuestMemory, createStrings, ERRNO } from './preview1-memory.ts'
import { createPoll } from './preview1-poll.ts'
import { randomBytes } from './random.ts'
import type { InputStream, OutputStream } from './streams.ts'

interface Preview1Options {
  readonly env: ReadonlyArray<readonly [string, string]>
  readonly args: readonly string[]
  /** All that will come: a program of this ABI can't be told to come back for more. */
  readonly stdin: InputStream
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly files: DirectoryNode | undefined
}

/** `wasi_snapshot_preview1` for one core module. */
interface Preview1 {
  readonly host: HostInterface
  /** Before the first call: the module's memory. */
  attach(memory: WebAssembly.Memory): void
}

const PATH_ERRNO: Readonly<Record<PathError, number>> = {
  'no-entry': ERRNO.noent,
  'not-directory': ERRNO.notdir,
  'not-permitted': ERRNO.notcapable,
  invalid: ERRNO.inval,
  'name-too-long': ERRNO.nametoolong,
}

const CHARACTER_DEVICE = 2
const DIRECTORY = 3
const REGULAR_FILE = 4
const RIGHT_READ = 2n
const RIGHT_SEEK = 4n
const RIGHT_TELL = 32n
const RIGHT_WRITE = 64n
const RIGHTS_DIRECTORY = 0x2002n | (1n << 14n) | (1n << 15n) | (1n << 18n) | (1n << 21n)

type OpenFile =
  | { readonly kind: 'in'; readonly stream: InputStream }
  | { readonly kind: 'out'; readonly stream: OutputStream }
  | { readonly kind: 'node'; readonly node: Node; readonly preopen: boolean; position: number }

// Far above what a request needs.
const MOST_FILES = 4096

/** Preview1 over the same file system as WASI 0.2: one read-only mount at `/`. */
export function createPreview1(options: Preview1Options): Preview1 {
  let memory: WebAssembly.Memory | undefined
  const files: Array<OpenFile | undefined> = [
    { kind: 'in', stream: options.stdin },
    { kind: 'out', stream: options.stdout },
    { kind: 'out', stream: options.stderr },
    ...(options.files === undefined
      ? []
      : [{ kind: 'node' as const, node: options.files, preopen: true, position: 0 }]),
  ]
  const guest = createGuestMemory(() => memory)
  const { data, bytes, text, u32, u64, vectors } = guest

  const args = createStrings(guest, options.args)
  const env = createStrings(
    guest,
    options.env.map(([name, value]) => `${name}=${value}`),
  )

  const nodeAt = (fd: number): Extract<OpenFile, { kind: 'node' }> | undefined => {
    const file = files[fd]
    return file?.kind === 'node' ? file : undefined
  }
  const find = (fd: number, path: number, length: number): Node | number => {
    const file = nodeAt(fd)
    if (file === undefined) return ERRNO.badf
    if (file.node.kind !== 'directory') return ERRNO.notdir
    const found = walk(file.node, text(path, length))
    return typeof found === 'string' ? PATH_ERRNO[found] : found
  }
  const stat = (node: Node | undefined, at: number): number => {
    bytes(at, 64).fill(0)
    u64(at + 8, BigInt(node?.id ?? 0))
    data().setUint8((at >>> 0) + 16, node === undefined ? CHARACTER_DEVICE : typeOf(node))
    u64(at + 24, 1n)
    u64(at + 32, BigInt(node === undefined ? 0 : sizeOf(node)))
    return ERRNO.success
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
    // Truncating, appending, or asking only for writing; read-and-write opens read.
    if (
      (how & 8) !== 0 ||
      (flags & 1) !== 0 ||
      ((rights & RIGHT_WRITE) !== 0n && found.kind === 'file')
    )
      return ERRNO.rofs
    if ((how & 2) !== 0 && found.kind !== 'directory') return ERRNO.notdir
    const free = files.indexOf(undefined, 3)
    const index = free === -1 ? files.length : free
    if (index >= MOST_FILES)
      throw new SpindleError('ERR_LIMIT_EXCEEDED', `component opens more than ${MOST_FILES} files`)
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
    for (const [name, node] of [...file.node.entries].slice(next)) {
      const encoded = encodeUtf8(name)
      const entry = new Uint8Array(24 + encoded.length)
      const view = new DataView(entry.buffer)
      view.setBigUint64(0, BigInt(++next), true)
      view.setBigUint64(8, BigInt(node.id), true)
      view.setUint32(16, encoded.length, true)
      view.setUint8(20, typeOf(node))
      entry.set(encoded, 24)
      // Cut off at the end of the buffer: the guest asks again from there.
      target.set(entry.subarray(0, target.length - used), used)
      used += Math.min(entry.length, target.length - used)
      if (used === target.length) break
    }
    u32(out, used)
    return ERRNO.success
  }
  const readOnly = (): number => ERRNO.rofs
  const unsupported = (): number => ERRNO.notsup
  const known = (fd: number): number => (files[fd] === undefined ? ERRNO.badf : ERRNO.success)

  return {
    attach(given) {
      memory = given
    },
    host: {
      waits: new Set(['poll_oneoff']),
      functions: {
        args_sizes_get: args.sizes,
        args_get: args.get,
        environ_sizes_get: env.sizes,
        environ_get: env.get,
        clock_res_get(_: number, out: number) {
          u64(out, 1_000_000n)
          return ERRNO.success
        },
        clock_time_get(id: number, _: bigint, out: number) {
          u64(out, id === 0 ? BigInt(Date.now()) * 1_000_000n : monotonicNow())
          return ERRNO.success
        },
        random_get(at: number, length: number) {
          bytes(at, length).set(randomBytes(length >>> 0))
          return ERRNO.success
        },
        proc_exit(exitCode: number) {
          throw { exitCode } satisfies ExitSignal
        },
        proc_raise: unsupported,
        sched_yield: () => ERRNO.success,
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
            file.stream.write(part.slice())
            total += part.length
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
          if (file === undefined) return ERRNO.badf
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
          // With the right to write among them, so that opening to write is refused rather than narrowed.
          u64(
            at + 16,
            file.kind === 'node'
              ? RIGHTS_DIRECTORY | RIGHT_READ | RIGHT_SEEK | RIGHT_TELL | RIGHT_WRITE
              : rights,
          )
          return ERRNO.success
        },
        fd_fdstat_set_flags: known,
        fd_fdstat_set_rights: known,
        fd_filestat_get: (fd: number, at: number) =>
          files[fd] === undefined ? ERRNO.badf : stat(nodeAt(fd)?.node, at),
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
          return typeof found === 'number' ? found : stat(found, at)
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
        poll_oneoff: createPoll(guest),
        sock_accept: unsupported,
        sock_recv: unsupported,
        sock_send: unsupported,
        sock_shutdown: unsupported,
      },
    },
  }
}

function typeOf(node: Node): number {
  return node.kind === 'file' ? REGULAR_FILE : DIRECTORY
}
