import type { HostInterface } from '../component/items.ts'
import { chain } from '../component/runtime.ts'
import { err, type Result } from '../wasi/result.ts'
import { type Answer, numbered, opener, settle, waitsAll } from './labelled.ts'

/** A value in a row or for a parameter, as SQLite has them. */
export type SqliteValue =
  | { readonly tag: 'integer'; readonly val: bigint }
  | { readonly tag: 'real'; readonly val: number }
  | { readonly tag: 'text'; readonly val: string }
  | { readonly tag: 'blob'; readonly val: Uint8Array }
  | { readonly tag: 'null' }

export interface SqliteResult {
  readonly columns: readonly string[]
  readonly rows: ReadonlyArray<readonly SqliteValue[]>
}

/**
 * Where components keep tables. Synchronous answers serve guests in every engine; a Promise makes
 * the guest wait, which needs JSPI. What it throws is told to the guest, with its message.
 *
 * Exported from `spindle/run`.
 */
export interface SqliteDatabase {
  execute(
    statement: string,
    parameters: readonly SqliteValue[],
  ): SqliteResult | Promise<SqliteResult>
}

/** Finds a database by its label; `undefined` when there is none. */
export type OpenSqlite = (database: string) => SqliteDatabase | undefined

const failed = (error: unknown): Result =>
  err({ tag: 'io', val: error instanceof Error ? error.message : 'the database failed' })

const execute = (
  database: SqliteDatabase,
  statement: string,
  parameters: readonly SqliteValue[],
): Answer =>
  settle(
    () => database.execute(statement, parameters),
    failed,
    (result) => {
      const { columns, rows } = result as SqliteResult
      return { columns, rows: rows.map((values) => ({ values })) }
    },
  )

/** A number that SQLite keeps of the connection; it has nowhere to say that it failed. */
function counter(database: SqliteDatabase, name: string): unknown {
  return chain(database.execute(`SELECT ${name}()`, []), (result) => {
    const value = (result as SqliteResult).rows[0]?.[0]
    return value?.tag === 'integer' ? value.val : 0n
  })
}

/** `allowed` are the databases that the component's manifest lists. */
export function createSqliteHosts(
  allowed: readonly string[],
  find: OpenSqlite,
): Readonly<Record<string, HostInterface>> {
  const open = opener(allowed, find, 'no-such-database')
  const { functions, using } = numbered(open, 'invalid-connection', {
    tag: 'io',
    val: 'too many connections are open: close some',
  })
  const second = {
    '[static]connection.open': open,
    '[method]connection.execute': execute,
  }
  const third = waitsAll({
    ...second,
    '[method]connection.last-insert-rowid': (database: SqliteDatabase) =>
      counter(database, 'last_insert_rowid'),
    '[method]connection.changes': (database: SqliteDatabase) => counter(database, 'changes'),
  })
  return {
    'fermyon:spin/sqlite': waitsAll({ ...functions, execute: using(execute) }),
    'fermyon:spin/sqlite@2.0.0': waitsAll(second),
    'spin:sqlite/sqlite@3.0.0': third,
    'spin:sqlite/sqlite@3.1.0': third,
  }
}
