import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { SpindleError } from '../errors.ts'
import { createSqlJsDatabase, type SqlJsDatabase } from '../run/spin/sql-js.ts'
import type { SqliteDatabase } from '../run/spin/sqlite.ts'
import { writeFileAtomicSync } from './bounded-file.ts'
import { withFileLockSync } from './file-lock-sync.ts'
import { isMissing } from './system-error.ts'

/** What is used of a `Database` of sql.js to keep it. */
export interface SqlJsFile extends SqlJsDatabase {
  export(): Uint8Array
  close(): void
}

/** Changes with every row that is written and with what a database says of itself. */
const MARK =
  'SELECT total_changes(), schema_version, user_version FROM pragma_schema_version, pragma_user_version'

/**
 * A SQLite database in a file, by [sql.js](https://sql.js.org): as it is WebAssembly, no statement of
 * a component reaches another file, and one that never ends can be ended with its thread. What is
 * committed is in the file before the component goes on; the file is replaced whole, so it is for
 * databases that are small.
 *
 * Exported from `spindle/node`. The file is SQLite's own, for `sqlite3` too. Several processes may use
 * it by this function: each statement sees what others have written. A transaction during which
 * another has written is undone where it would be committed, with `ERR_CONFLICT`.
 *
 * @example Keep what components put into their database
 * import initSqlJs from 'sql.js'
 *
 * const { Database } = await initSqlJs()
 * const database = createFileSqlite('./state/sqlite_db.db', Database)
 * createAppHandler(app, { sqlite: (label) => (label === 'default' ? database : undefined) })
 */
export function createFileSqlite(
  path: string,
  Database: new (bytes?: Uint8Array) => SqlJsFile,
): SqliteDatabase {
  mkdirSync(dirname(path), { recursive: true })
  let version: string | undefined
  let file: SqlJsFile
  let database: SqliteDatabase
  let kept: string

  const mark = (): string => JSON.stringify(database.execute(MARK, []), textOf)
  const load = (): void => {
    version = versionOf(path)
    file = new Database(version === undefined ? undefined : readFileSync(path))
    database = createSqlJsDatabase(file)
    kept = mark()
  }
  const keep = (): void => {
    const now = mark()
    if (now === kept) return
    let bytes
    try {
      bytes = file.export()
    } catch (error) {
      // Not committed yet: the statement that ends the transaction has it kept.
      if (error instanceof Error && error.message.includes('active write transaction')) return
      throw error
    }
    if (versionOf(path) !== version) {
      reload()
      throw new SpindleError(
        'ERR_CONFLICT',
        'another process has changed the database during this transaction: begin it again',
      )
    }
    writeFileAtomicSync(path, bytes, 0o600)
    kept = now
    version = versionOf(path)
  }

  const reload = (): void => {
    file.close()
    load()
  }

  load()
  return {
    execute: (statement, parameters) =>
      withFileLockSync(`${path}.lock`, () => {
        if (versionOf(path) !== version && mark() === kept) reload()
        try {
          return database.execute(statement, parameters)
        } finally {
          keep()
        }
      }),
  }
}

function textOf(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

function versionOf(path: string): string | undefined {
  try {
    const { ino, size, mtimeNs } = statSync(path, { bigint: true })
    return [ino, size, mtimeNs].join()
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
