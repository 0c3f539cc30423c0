import { MAX_MEMORY } from '../../budget.ts'
import { openConnection, type SqliteWasm } from './sqlite-connection.ts'
import type { SqliteDatabase } from './sqlite-database.ts'

export interface SqliteWasmOptions {
  /** A file of the virtual file system `vfs`. Default: a database in memory, the same for all connections. */
  readonly file?: string
  /** A virtual file system that SQLite knows, such as `opfs`. Default: SQLite's own. */
  readonly vfs?: string
  /**
   * Bytes of memory that SQLite may take in all, with databases in memory. The least that was ever
   * given to an engine counts for all of its databases. Default: 512 MiB.
   */
  readonly maxMemory?: number
}

let databases = 0

/**
 * Opens a database of [SQLite's own WebAssembly build](https://sqlite.org/wasm), in a page as in Node.
 * Each call of the function that it gives is a new connection, with transactions, `changes()` and
 * temporary tables of its own.
 *
 * Exported from `spindle/run`.
 *
 * @example Give components the database that they list
 * import initSqlite from '@sqlite.org/sqlite-wasm'
 *
 * const connect = createSqliteWasm(await initSqlite())
 * createAppHandler(app, { sqlite: { default: connect } })
 *
 * As in Spin, foreign keys are enforced, and no statement attaches a file. Throws `ERR_UNSUPPORTED`
 * when the database can't be opened.
 */
export function createSqliteWasm(
  sqlite: SqliteWasm,
  options: SqliteWasmOptions = {},
): () => SqliteDatabase {
  const { maxMemory = MAX_MEMORY } = options
  if (!Number.isSafeInteger(maxMemory) || maxMemory < 1)
    throw new TypeError(`"maxMemory" must be a positive number of bytes, not ${maxMemory}`)
  // A name that begins with a slash is shared among the connections of one engine.
  const file = options.file ?? `file:/spindle-${(databases += 1)}?vfs=memdb`
  const open = (): SqliteDatabase => openConnection(sqlite, file, { vfs: options.vfs, maxMemory })
  let kept: SqliteDatabase | undefined
  return () => {
    // What is in memory lasts as long as one connection.
    if (options.file === undefined) kept ??= open()
    return open()
  }
}
