import { randomUUID } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SqliteWasm } from '../../run/host/spin/sqlite-connection.ts'
import type { FileLockSync } from '../files/file-lock.ts'
import { createSqliteLock } from './sqlite-lock.ts'
import { codeOf, isMissing } from '../files/system-error.ts'

// Files of this machine as SQLite's WebAssembly build asks for them: the database, in place, and its
// journal, under the names that Spin and `sqlite3` give them. See https://sqlite.org/c3ref/vfs.html

// https://sqlite.org/c3ref/constlist.html
const OK = 0
const BUSY = 5
const IOERR = 10
const FULL = 13
const NOTFOUND = 12
const CANTOPEN = 14
const IOERR_READ = IOERR | (1 << 8)
const IOERR_SHORT_READ = IOERR | (2 << 8)
const IOERR_WRITE = IOERR | (3 << 8)
const IOERR_FSYNC = IOERR | (4 << 8)
const IOERR_TRUNCATE = IOERR | (6 << 8)
const IOERR_FSTAT = IOERR | (7 << 8)
const IOERR_DELETE = IOERR | (10 << 8)
const IOERR_LOCK = IOERR | (15 << 8)
const IOERR_DELETE_NOENT = IOERR | (23 << 8)
const OPEN_MAIN_DB = 0x100
const LOCK_SHARED = 1
const LOCK_RESERVED = 2
const ACCESS_EXISTS = 0
const SECTOR = 4096
const MAX_PATH = 4096

/** `@sqlite.org/sqlite-wasm`, with what registers a file system. */
export interface SqliteWasmFiles extends SqliteWasm {
  readonly vfs: object
}

/** A structure of SQLite's. */
interface Struct {
  readonly pointer: number
  dispose(): void
  [member: `$${string}`]: number
}
type Methods = Readonly<Record<`x${string}`, (...args: never[]) => number>>

/** What its own types leave out, or call a number that is a bigint. */
interface Engine {
  readonly capi: {
    readonly sqlite3_io_methods: new () => Struct
    readonly sqlite3_vfs: new (at?: number) => Struct
    readonly sqlite3_file: (new (at: number) => Struct) & {
      readonly structInfo: { readonly sizeof: number }
    }
    sqlite3_vfs_find(name: 0): number
  }
  readonly wasm: {
    heap8u(): Uint8Array
    cstrToJs(at: number): string
    cstrncpy(to: number, from: number, most: number): number
    poke32(at: number, value: number): void
    poke64(at: number, value: bigint): void
  }
  readonly vfs: {
    installVfs(parts: {
      readonly io: { readonly struct: Struct; readonly methods: Methods }
      readonly vfs: { readonly struct: Struct; readonly name: string; readonly methods: Methods }
    }): void
  }
}

/** A database of this thread, with all connections that have it open. */
interface MainFile {
  readonly path: string
  readonly descriptor: number
  /** Against other processes; taken with the first connection's lock. */
  readonly lock: FileLockSync
  /** Connections that read, by their address. */
  readonly readers: Set<number>
  /** The one that is going to write. */
  writer: number | undefined
  /** Whether it waits for the readers to end, or writes. */
  isPending: boolean
  open: number
}

interface OpenFile {
  readonly descriptor: number
  /** Of a database, not of its journal. */
  readonly main?: MainFile
}

const NAME = 'spindle-files'
const engines = new WeakMap<SqliteWasmFiles, Set<string>>()

/** Lets an engine open a database, and gives the name of the file system to open it by. */
export function allowFile(sqlite: SqliteWasmFiles, path: string): string {
  let allowed = engines.get(sqlite)
  if (allowed === undefined) {
    allowed = new Set()
    install(sqlite as unknown as Engine, allowed)
    engines.set(sqlite, allowed)
  }
  allowed.add(path)
  return NAME
}

function install({ capi, wasm, vfs }: Engine, allowed: ReadonlySet<string>): void {
  const mains = new Map<string, MainFile>()
  const files = new Map<number, OpenFile>()
  const io = new capi.sqlite3_io_methods()
  const system = new capi.sqlite3_vfs()
  const standard = new capi.sqlite3_vfs(capi.sqlite3_vfs_find(0))
  system.$iVersion = 2
  system.$szOsFile = capi.sqlite3_file.structInfo.sizeof
  system.$mxPathname = MAX_PATH
  for (const own of ['$xRandomness', '$xSleep', '$xCurrentTime', '$xCurrentTimeInt64'] as const)
    system[own] = standard[own] as number
  standard.dispose()
  io.$iVersion = 1

  const nameAt = (at: number): string => wasm.cstrToJs(at)
  const isAllowed = (path: string): boolean =>
    allowed.has(path) || (path.endsWith('-journal') && allowed.has(path.slice(0, -8)))
  const openMain = (path: string): MainFile => {
    let main = mains.get(path)
    if (main === undefined) {
      const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
      const lock = createSqliteLock(path)
      main = {
        path,
        descriptor,
        lock,
        readers: new Set(),
        writer: undefined,
        isPending: false,
        open: 0,
      }
      mains.set(path, main)
    }
    main.open++
    return main
  }
  /** Does one thing with an open file; what fails is told by a code. */
  const using =
    <Rest extends unknown[]>(work: (file: OpenFile, ...rest: Rest) => number, failed: number) =>
    (at: number, ...rest: Rest): number => {
      const file = files.get(at)
      if (file === undefined) return failed
      try {
        return work(file, ...rest)
      } catch (error) {
        return codeOf(error) === 'ENOSPC' ? FULL : failed
      }
    }
  const unlock = (at: number, main: MainFile, level: number): number => {
    if (main.writer === at) {
      main.writer = undefined
      main.isPending = false
    }
    if (level < LOCK_SHARED && main.readers.delete(at) && main.readers.size === 0)
      main.lock.release()
    return OK
  }

  vfs.installVfs({
    io: {
      struct: io,
      methods: {
        xClose: (at: number) => {
          const file = files.get(at)
          files.delete(at)
          if (file === undefined) return OK
          const { main } = file
          if (main === undefined) closeSync(file.descriptor)
          else {
            unlock(at, main, 0)
            // The system drops this process's lock with any descriptor of the file: with the last one only.
            if (--main.open === 0) {
              mains.delete(main.path)
              main.lock.close?.()
              closeSync(main.descriptor)
            }
          }
          return OK
        },
        xRead: using(({ descriptor }, to: number, length: number, from: bigint) => {
          const target = wasm.heap8u().subarray(to, to + length)
          let done = 0
          while (done < length) {
            const read = readSync(descriptor, target, done, length - done, Number(from) + done)
            if (read === 0) break
            done += read
          }
          target.fill(0, done)
          return done < length ? IOERR_SHORT_READ : OK
        }, IOERR_READ),
        xWrite: using(({ descriptor }, from: number, length: number, to: bigint) => {
          const source = wasm.heap8u().subarray(from, from + length)
          let done = 0
          while (done < length)
            done += writeSync(descriptor, source, done, length - done, Number(to) + done)
          return OK
        }, IOERR_WRITE),
        xTruncate: using(({ descriptor }, size: bigint) => {
          ftruncateSync(descriptor, Number(size))
          return OK
        }, IOERR_TRUNCATE),
        xSync: using(({ descriptor }) => {
          fsyncSync(descriptor)
          return OK
        }, IOERR_FSYNC),
        xFileSize: using(({ descriptor }, out: number) => {
          wasm.poke64(out, BigInt(fstatSync(descriptor).size))
          return OK
        }, IOERR_FSTAT),
        xLock: (at: number, level: number) => {
          const main = files.get(at)?.main
          if (main === undefined) return OK
          try {
            if (level === LOCK_SHARED) {
              if (main.isPending && main.writer !== at) return BUSY
              if (main.readers.size === 0 && !main.lock.acquire()) return BUSY
              main.readers.add(at)
              return OK
            }
            if (main.writer !== undefined && main.writer !== at) return BUSY
            main.writer = at
            if (level === LOCK_RESERVED) return OK
            main.isPending = true
            if (main.readers.size > 1) return BUSY
            return main.lock.isHeld() ? OK : IOERR_LOCK
          } catch {
            return IOERR_LOCK
          }
        },
        xUnlock: (at: number, level: number) => {
          const main = files.get(at)?.main
          return main === undefined ? OK : unlock(at, main, level)
        },
        xCheckReservedLock: (at: number, out: number) => {
          wasm.poke32(out, files.get(at)?.main?.writer === undefined ? 0 : 1)
          return OK
        },
        xFileControl: () => NOTFOUND,
        xSectorSize: () => SECTOR,
        xDeviceCharacteristics: () => 0,
      },
    },
    vfs: {
      struct: system,
      name: NAME,
      methods: {
        xOpen: (_vfs: number, name: number, at: number, flags: number, outFlags: number) => {
          try {
            const path = name === 0 ? undefined : nameAt(name)
            if (path !== undefined && !isAllowed(path)) return CANTOPEN
            if (path !== undefined && (flags & OPEN_MAIN_DB) !== 0) {
              const main = openMain(path)
              files.set(at, { descriptor: main.descriptor, main })
            } else
              files.set(at, {
                descriptor: path === undefined ? openTemporary() : openJournal(path),
              })
            const file = new capi.sqlite3_file(at)
            file.$pMethods = io.pointer
            file.dispose()
            if (outFlags !== 0) wasm.poke32(outFlags, flags)
            return OK
          } catch {
            return CANTOPEN
          }
        },
        xDelete: (_vfs: number, name: number) => {
          try {
            const path = nameAt(name)
            if (!isAllowed(path)) return IOERR_DELETE
            unlinkSync(path)
            return OK
          } catch (error) {
            return isMissing(error) ? IOERR_DELETE_NOENT : IOERR_DELETE
          }
        },
        xAccess: (_vfs: number, name: number, flags: number, out: number) => {
          wasm.poke32(out, isThere(nameAt(name), flags) ? 1 : 0)
          return OK
        },
        xFullPathname: (_vfs: number, name: number, room: number, out: number) =>
          wasm.cstrncpy(out, name, room) < room ? OK : CANTOPEN,
        xGetLastError: () => OK,
      },
    },
  })

  function isThere(path: string, flags: number): boolean {
    if (!isAllowed(path)) return false
    try {
      // An empty journal is none.
      return flags !== ACCESS_EXISTS || statSync(path).size > 0
    } catch {
      return false
    }
  }
}

function openJournal(path: string): number {
  return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
}

/** Without a name, so that a crash leaves nothing. */
function openTemporary(): number {
  const path = join(tmpdir(), `spindle-${randomUUID()}`)
  const descriptor = openSync(path, 'wx+', 0o600)
  try {
    unlinkSync(path)
  } catch {
    // On systems where an open file cannot be removed, it stays.
  }
  return descriptor
}
