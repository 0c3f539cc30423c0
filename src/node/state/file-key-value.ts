import { SpindleError } from '../../errors.ts'
import type { KeyValueStore } from '../../run/host/spin/key-value-store.ts'
import type {
  SqliteDatabase,
  SqliteResult,
  SqliteValue,
} from '../../run/host/spin/sqlite-database.ts'
import { createFileSqlite } from './file-sqlite.ts'
import type { SqliteWasmFiles } from './sqlite-files.ts'

/** The table of Spin, which separates the stores of one file by label. */
const TABLE = `CREATE TABLE IF NOT EXISTS spin_key_value (
  store TEXT NOT NULL,
  key   TEXT NOT NULL,
  value BLOB NOT NULL,

  PRIMARY KEY (store, key)
)`

const text = (val: string): SqliteValue => ({ tag: 'text', val })

/**
 * A key-value store in a file of Spin's own format, a SQLite database: each can go on with what the
 * other has stored, at the same time as `createFileSqlite` says. It answers at once, so that guests need
 * not wait for it, and a value appears whole or not at all.
 *
 * Exported from `spindle/node`.
 *
 * @example Keep what an application stores
 * import initSqlite from '@sqlite.org/sqlite-wasm'
 *
 * const sqlite = await initSqlite()
 * const store = createFileKeyValue('.spin/sqlite_key_value.db', sqlite)
 * createAppHandler(app, { keyValue: (label) => (label === 'default' ? store : undefined) })
 *
 * `store` is the label that values are kept under in the file. Default: `default`.
 */
export function createFileKeyValue(
  path: string,
  sqlite: SqliteWasmFiles,
  options: { readonly store?: string; readonly maxMemory?: number } = {},
): KeyValueStore {
  const { store = 'default', ...limits } = options
  const connect = createFileSqlite(path, sqlite, limits)
  let opened: SqliteDatabase | undefined
  const run = (statement: string, ...parameters: SqliteValue[]): SqliteResult['rows'] => {
    if (opened === undefined) {
      const database = connect()
      void database.execute(TABLE, [])
      opened = database
    }
    return (opened.execute(statement, parameters) as SqliteResult).rows
  }
  return {
    get(key) {
      const statement = 'SELECT value FROM spin_key_value WHERE store = ? AND key = ?'
      const value = run(statement, text(store), text(key))[0]?.[0]
      if (value === undefined) return undefined
      if (value.tag !== 'blob')
        throw new SpindleError(
          'ERR_CONTENT_INVALID',
          `${path}: the value of ${JSON.stringify(key)} is no blob: set or delete it`,
        )
      return value.val
    },
    set(key, value) {
      const statement = `INSERT INTO spin_key_value (store, key, value) VALUES (?, ?, ?)
        ON CONFLICT (store, key) DO UPDATE SET value = excluded.value`
      run(statement, text(store), text(key), { tag: 'blob', val: value })
    },
    delete(key) {
      run('DELETE FROM spin_key_value WHERE store = ? AND key = ?', text(store), text(key))
    },
    keys() {
      const rows = run('SELECT key FROM spin_key_value WHERE store = ?', text(store))
      return rows.flatMap(([key]) => (key?.tag === 'text' ? [key.val] : []))
    },
    together(work) {
      run('BEGIN IMMEDIATE')
      try {
        const result = work()
        run('COMMIT')
        return result
      } catch (error) {
        run('ROLLBACK')
        throw error
      }
    },
  }
}
