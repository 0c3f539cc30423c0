import { closeSync, constants, mkdirSync, openSync, readSync, realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { SpindleError } from '../../errors.ts'
import { createSqliteWasm } from '../../run/host/spin/sqlite-wasm.ts'
import type { SqliteDatabase } from '../../run/host/spin/sqlite-database.ts'
import { allowFile, type SqliteWasmFiles } from './sqlite-files.ts'
import { isMissing } from '../files/system-error.ts'

/** Where a file says how it is read: 2 for a write-ahead log. https://sqlite.org/fileformat.html */
const READ_VERSION = 19
const WRITE_AHEAD = 2

/**
 * Opens a SQLite database in a file, by [SQLite's own WebAssembly build](https://sqlite.org/wasm): no
 * statement of a component reaches another file, and one that never ends can be ended with its thread.
 * Each call of the function that it gives is a new connection.
 *
 * Exported from `spindle/node`. The file and its journal are SQLite's own, so that Spin and `sqlite3`
 * can go on with them. Where Node has `node:sqlite` (22.13 and newer) they can be used at the same time
 * as well: this function takes SQLite's locks. On older ones it takes a lock file, which only Spindle
 * heeds. A database that waits for somebody else's transaction answers `database is locked` after 5 s.
 *
 * @example Keep what components put into their database
 * import initSqlite from '@sqlite.org/sqlite-wasm'
 *
 * const connect = createFileSqlite('./state/sqlite_db.db', await initSqlite())
 * createAppHandler(app, { sqlite: { default: connect } })
 *
 * Throws `ERR_UNSUPPORTED` for a database with a write-ahead log, which takes memory that processes share.
 */
export function createFileSqlite(
  path: string,
  sqlite: SqliteWasmFiles,
  options: { readonly maxMemory?: number } = {},
): () => SqliteDatabase {
  const folder = dirname(resolve(path))
  mkdirSync(folder, { recursive: true })
  const file = realPath(resolve(path))
  assertJournal(file)
  return createSqliteWasm(sqlite, { ...options, file, vfs: allowFile(sqlite, file) })
}

/** A journal lies beside the file itself, not beside a link to it. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    if (!isMissing(error)) throw error
    return resolve(realpathSync(dirname(path)), path.slice(dirname(path).length + 1))
  }
}

function assertJournal(path: string): void {
  const head = Buffer.alloc(READ_VERSION + 1)
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY)
  } catch (error) {
    if (isMissing(error)) return
    throw error
  }
  try {
    if (readSync(file, head) < head.length || head[READ_VERSION] !== WRITE_AHEAD) return
  } finally {
    closeSync(file)
  }
  throw new SpindleError(
    'ERR_UNSUPPORTED',
    `${path} has a write-ahead log, which is not supported: sqlite3 FILE "PRAGMA journal_mode = DELETE"`,
  )
}
