import { MAX_MEMORY } from '../../budget.ts'
import { openConnection, type SqliteWasm } from './sqlite-connection.ts'
import type { SqliteDatabase } from './sqlite-database.ts'

export interface SqliteWasmOptions {
  /** A file of the virtual file system `vfs`. Default: an in-memory database that all connections share. */
  readonly file?: string
  /** A registered SQLite VFS, such as `opfs`. Default: SQLite's default VFS. */
  readonly vfs?: string
  /**
   * Bytes of memory that SQLite can allocate in total, including in-memory databases. The lowest value
   * passed for an engine applies to all of its databases. Default: 512 MiB.
   */
  readonly maxMemory?: number
}

let databases = 0

/**
 * Opens a database of [SQLite's WebAssembly build](https://sqlite.org/wasm), in browsers and Node.
 * Each call of the returned function opens a new connection with its own transactions, `changes()`
 * and temporary tables.
 *
 * Exported from `spindle/run`.
 *
 * @example Give components the database that they list
 * import initSqlite from '@sqlite.org/sqlite-wasm'
 *
 * const connect = createSqliteWasm(await initSqlite())
 * createAppHandler(app, { sqlite: { default: connect } })
 *
 * As in Spin, foreign keys are enforced and statements cannot attach files. Throws `ERR_UNSUPPORTED`
 * when the database cannot be opened.
 */
export function createSqliteWasm(
  sqlite: SqliteWasm,
  options: SqliteWasmOptions = {},
): () => SqliteDatabase {
  const { maxMemory = MAX_MEMORY } = options
  if (!Number.isSafeInteger(maxMemory) || maxMemory < 1)
    throw new TypeError(`"maxMemory" must be a positive number of bytes, not ${maxMemory}`)
  // A `memdb` name that begins with a slash is shared among the connections of one engine.
  const file = options.file ?? `file:/spindle-${(databases += 1)}?vfs=memdb`
  const open = (): SqliteDatabase => openConnection(sqlite, file, { vfs: options.vfs, maxMemory })
  let kept: SqliteDatabase | undefined
  return () => {
    // An in-memory database exists as long as one connection is open, so one is kept.
    if (options.file === undefined) kept ??= open()
    return open()
  }
}
