import process from 'node:process'
import { createFileLockSync, type FileLockSync } from '../files/file-lock.ts'

// https://sqlite.org/rescode.html
const BUSY = 5
const NOT_A_DATABASE = 26

/** Milliseconds to wait for another process, as Spin's build of SQLite does. */
const MAX_WAIT = 5000

interface NativeDatabase {
  readonly exec: (text: string) => void
  readonly close: () => void
}
interface NativeSqlite {
  readonly DatabaseSync: new (path: string) => NativeDatabase
}

/**
 * The lock of SQLite itself where Node has it (22.13 and newer), which Spin and `sqlite3` heed; else a
 * file beside the database, which only we do.
 */
export function createSqliteLock(path: string): FileLockSync {
  const native = loadNative()
  return native === undefined
    ? createFileLockSync(`${path}.lock`, MAX_WAIT)
    : createNativeLock(path, native)
}

function loadNative(): NativeSqlite | undefined {
  const { emitWarning } = process
  // Only its locks are used, and they are no experiment.
  process.emitWarning = () => {}
  try {
    const load = process.getBuiltinModule as (id: string) => unknown
    return load('node:sqlite') as NativeSqlite | undefined
  } finally {
    process.emitWarning = emitWarning
  }
}

/** A transaction of SQLite's own that does nothing but hold the file. */
function createNativeLock(path: string, { DatabaseSync }: NativeSqlite): FileLockSync {
  let database: NativeDatabase | undefined
  let isHeld = false
  return {
    acquire() {
      try {
        database ??= new DatabaseSync(path)
        database.exec(`PRAGMA busy_timeout = ${MAX_WAIT}`)
        // The journal on disk is that of the connection which writes.
        database.exec('PRAGMA journal_mode = MEMORY')
        database.exec('BEGIN EXCLUSIVE')
        isHeld = true
      } catch (error) {
        const { errcode } = error as { readonly errcode?: number }
        // What is no database has no lock either: whoever reads it says so.
        isHeld = errcode === NOT_A_DATABASE
        if (!isHeld && errcode !== BUSY) throw error
      }
      return isHeld
    },
    isHeld: () => isHeld,
    release() {
      isHeld = false
      try {
        database?.exec('ROLLBACK')
      } catch {
        // There was nothing to lock.
      }
    },
    close: () => database?.close(),
  }
}
