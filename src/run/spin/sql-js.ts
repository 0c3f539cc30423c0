import { SpindleError } from '../../errors.ts'
import type { SqliteDatabase, SqliteValue } from './sqlite.ts'

/** What is used of a `Database` of sql.js. */
export interface SqlJsDatabase {
  prepare(statement: string): {
    bind(values: Array<number | string | Uint8Array | null>): unknown
    step(): boolean
    get(parameters: undefined, options: { useBigInt: true }): unknown[]
    getColumnNames(): string[]
    free(): unknown
  }
}

// All of an answer is held at once, here and in the guest.
const MOST_ROWS = 100_000
const MOST_BYTES = 64 * 1024 * 1024
// What a value takes beside its text or bytes.
const VALUE_BYTES = 96

/**
 * A database of [sql.js](https://sql.js.org), which is SQLite as WebAssembly: in memory, in a page
 * as in Node. Its `export()` gives the bytes to keep, its constructor takes them.
 *
 * Exported from `spindle/run`.
 *
 * @example Give components the database that they list
 * import initSqlJs from 'sql.js'
 *
 * const { Database } = await initSqlJs()
 * const database = createSqlJsDatabase(new Database(kept))
 * createAppHandler(app, { sqlite: (label) => (label === 'default' ? database : undefined) })
 *
 * An integer parameter beyond 32 bits is bound as the real of the same value, which is what sql.js
 * can do; one beyond 2^53, where that would be another number, is refused.
 */
export function createSqlJsDatabase(database: SqlJsDatabase): SqliteDatabase {
  return {
    execute(text, parameters) {
      const values = parameters.map(bindable)
      const statement = database.prepare(text)
      try {
        statement.bind(values)
        const rows: SqliteValue[][] = []
        let bytes = 0
        while (statement.step()) {
          if (rows.length >= MOST_ROWS)
            throw new SpindleError(
              'ERR_LIMIT_EXCEEDED',
              `the statement gives more than ${MOST_ROWS} rows`,
            )
          const row = statement.get(undefined, { useBigInt: true }).map(valueOf)
          bytes = row.reduce((sum, value) => sum + bytesOf(value), bytes)
          if (bytes > MOST_BYTES)
            throw new SpindleError(
              'ERR_LIMIT_EXCEEDED',
              `the statement gives more than ${MOST_BYTES} bytes: ask for less of them at a time`,
            )
          rows.push(row)
        }
        return { columns: rows.length === 0 ? [] : statement.getColumnNames(), rows }
      } finally {
        statement.free()
      }
    },
  }
}

function bytesOf(value: SqliteValue): number {
  if (value.tag === 'text') return VALUE_BYTES + 2 * value.val.length
  return VALUE_BYTES + (value.tag === 'blob' ? value.val.length : 0)
}

function bindable(value: SqliteValue): number | string | Uint8Array | null {
  if (value.tag === 'null') return null
  if (value.tag !== 'integer') return value.val
  const number = Number(value.val)
  if (Number.isSafeInteger(number)) return number
  throw new SpindleError(
    'ERR_UNSUPPORTED',
    'sql.js binds no integer beyond 2^53: write it into the statement',
  )
}

function valueOf(value: unknown): SqliteValue {
  if (typeof value === 'bigint') return { tag: 'integer', val: value }
  if (typeof value === 'number') return { tag: 'real', val: value }
  if (typeof value === 'string') return { tag: 'text', val: value }
  return value instanceof Uint8Array ? { tag: 'blob', val: value } : { tag: 'null' }
}
