import { isSpindleError } from '../../errors.ts'
import type { HostInterface } from '../component/items.ts'
import { err, ok, type Result } from '../wasi/result.ts'

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

type Answer = Result | Promise<Result>

function settle(action: () => unknown, shape: (result: SqliteResult) => unknown): Answer {
  const answered = (result: unknown): Result => ok(shape(result as SqliteResult))
  const failed = (error: unknown): Result =>
    err({
      tag: 'io',
      val: isSpindleError(error) || error instanceof Error ? error.message : 'the database failed',
    })
  try {
    const result = action()
    return result instanceof Promise ? result.then(answered, failed) : answered(result)
  } catch (error) {
    return failed(error)
  }
}

const execute = (
  database: SqliteDatabase,
  statement: string,
  parameters: readonly SqliteValue[],
): Answer =>
  settle(
    () => database.execute(statement, parameters),
    ({ columns, rows }) => ({ columns, rows: rows.map((values) => ({ values })) }),
  )

/** A number that SQLite keeps of the connection; it has nowhere to say that it failed. */
function counter(database: SqliteDatabase, name: string): unknown {
  const read = ({ rows }: SqliteResult): bigint => {
    const value = rows[0]?.[0]
    return value?.tag === 'integer' ? value.val : 0n
  }
  const result = database.execute(`SELECT ${name}()`, [])
  return result instanceof Promise ? result.then(read) : read(result)
}

function waitsAll(functions: HostInterface['functions']): HostInterface {
  return { functions, waits: new Set(Object.keys(functions)) }
}

/** `allowed` are the databases that the component's manifest lists. */
export function createSqliteHosts(
  allowed: readonly string[],
  find: OpenSqlite,
): Readonly<Record<string, HostInterface>> {
  const open = (label: string): Result<SqliteDatabase> => {
    const database = allowed.includes(label) ? find(label) : undefined
    if (database !== undefined) return ok(database) as Result<SqliteDatabase>
    return err({
      tag: allowed.includes(label) ? 'no-such-database' : 'access-denied',
    }) as Result<SqliteDatabase>
  }
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
    'fermyon:spin/sqlite': createNumbered(open),
    'fermyon:spin/sqlite@2.0.0': waitsAll(second),
    'spin:sqlite/sqlite@3.0.0': third,
    'spin:sqlite/sqlite@3.1.0': third,
  }
}

/** The interface before resources: connections are numbers. */
function createNumbered(open: (label: string) => Result<SqliteDatabase>): HostInterface {
  const connections = new Map<number, SqliteDatabase>()
  let last = 0
  return waitsAll({
    open: (label: string) => {
      const opened = open(label)
      if (opened.tag === 'err') return opened
      connections.set(++last, opened.val as SqliteDatabase)
      return ok(last)
    },
    execute: (id: number, statement: string, parameters: readonly SqliteValue[]) => {
      const database = connections.get(id)
      return database === undefined
        ? err({ tag: 'invalid-connection' })
        : execute(database, statement, parameters)
    },
    close: (id: number) => void connections.delete(id),
  })
}
