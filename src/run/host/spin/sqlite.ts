import type {
  SqliteValue,
  SqliteResult,
  SqliteLimits,
  SqliteCounters,
  SqliteDatabase,
  OpenSqlite,
} from './sqlite-database.ts'
import type { HostInterface } from '../../component/abi/items.ts'
import { chain, isPromise } from '../../component/abi/runtime.ts'
import { err, ok, type Result } from '../wasi/result.ts'
import { type Answer, MAX_OPEN, numbered, opener, settle, waitsAll } from './labelled.ts'
import { streamOfResult, streamOfRows } from './sqlite-rows.ts'

interface SqliteHostOptions {
  readonly limits: SqliteLimits
  /** Called once to register the cleanup at the end of the request. */
  readonly atEnd: (work: () => void) => void
}

/** `allowed` are the databases that the component's manifest lists. */
export function createSqliteHosts(
  allowed: readonly string[],
  find: OpenSqlite,
  { limits, atEnd }: SqliteHostOptions,
): Readonly<Record<string, HostInterface>> {
  const failed = (error: unknown): Result => {
    // After the deadline the guest is ended instead of receiving an error.
    limits.assertInTime()
    return err({ tag: 'io', val: error instanceof Error ? error.message : 'the database failed' })
  }
  const full = { tag: 'io', val: 'too many connections opened' }
  const connections = new Set<SqliteDatabase>()
  const close = (database: SqliteDatabase): void => {
    if (connections.delete(database)) database.close?.()
  }
  atEnd(() => connections.forEach(close))
  const openAny = opener(allowed, find, 'no-such-database')
  const open = (label: string): Result<SqliteDatabase> => {
    if (connections.size >= MAX_OPEN) return err(full) as Result<SqliteDatabase>
    try {
      const opened = openAny(label)
      if (opened.tag === 'ok') connections.add(opened.val as SqliteDatabase)
      return opened
    } catch (error) {
      return failed(error) as Result<SqliteDatabase>
    }
  }
  const execute = (
    database: SqliteDatabase,
    statement: string,
    parameters: readonly SqliteValue[],
  ): Answer =>
    settle(
      () => database.execute(statement, parameters, limits),
      failed,
      (result) => {
        const { columns, rows } = result as SqliteResult
        return { columns, rows: rows.map((values) => ({ values })) }
      },
    )
  const executeAsync = (
    database: SqliteDatabase,
    statement: string,
    parameters: readonly SqliteValue[],
  ): unknown => {
    try {
      if (database.query !== undefined)
        return ok(streamOfRows(database.query(statement, parameters, limits), limits, failed))
      const result = chain(database.execute(statement, parameters, limits), (given) =>
        ok(streamOfResult(given as SqliteResult)),
      )
      return isPromise(result)
        ? result.catch((error: unknown) => ok(streamOfResult(undefined, failed(error))))
        : result
    } catch (error) {
      // As in Spin, the future reports the error.
      return ok(streamOfResult(undefined, failed(error)))
    }
  }
  /** A counter of the connection; the WIT function has no error result. */
  const counter =
    (own: keyof SqliteCounters, name: string) =>
    (database: SqliteDatabase): unknown =>
      database.counters?.()[own] ??
      chain(database.execute(`SELECT ${name}()`, [], limits), (result) => {
        const value = (result as SqliteResult).rows[0]?.[0]
        return value?.tag === 'integer' ? value.val : 0n
      })

  const { functions, using } = numbered(open, 'invalid-connection', full, close)
  const second = {
    '[static]connection.open': open,
    '[method]connection.execute': execute,
    '[resource-drop]connection': close,
  }
  const lastInsertRowid = counter('lastInsertRowid', 'last_insert_rowid')
  const changes = counter('changes', 'changes')
  const third = {
    ...second,
    '[method]connection.last-insert-rowid': lastInsertRowid,
    '[method]connection.changes': changes,
  }
  return {
    'fermyon:spin/sqlite': waitsAll({ ...functions, execute: using(execute) }),
    'fermyon:spin/sqlite@2.0.0': waitsAll(second),
    'spin:sqlite/sqlite@3.0.0': waitsAll(third),
    'spin:sqlite/sqlite@3.1.0': waitsAll({
      ...third,
      '[static]connection.open-async': open,
      '[method]connection.execute-async': executeAsync,
      '[method]connection.last-insert-rowid-async': lastInsertRowid,
      '[method]connection.changes-async': changes,
    }),
  }
}
