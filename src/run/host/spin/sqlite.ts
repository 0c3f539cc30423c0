import type { HostInterface } from '../../component/abi/items.ts'
import { chain, isPromise } from '../../component/abi/runtime.ts'
import { err, ok, type Result } from '../wasi/result.ts'
import { type Answer, MOST_OPEN, numbered, opener, settle, waitsAll } from './labelled.ts'
import { streamOfResult, streamOfRows } from './sqlite-rows.ts'

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

/** The rows of a statement that is under way. */
export interface SqliteCursor {
  readonly columns: readonly string[]
  /** The next row; `undefined` after the last one. */
  next(): readonly SqliteValue[] | undefined
  /** Ends the statement. It may be called again. */
  close(): void
}

/** What a statement may take: of the request that it belongs to. */
export interface SqliteLimits {
  /** Throws once the request's time is over. To be called now and then while a statement runs. */
  assertInTime(): void
  /** Takes so many bytes of the request's memory. Throws when they are too many. */
  charge(bytes: number): void
  /** Gives back bytes that were charged. */
  release(bytes: number): void
  /** Bytes that the request may still take. */
  readonly free: number
}

export interface SqliteCounters {
  readonly changes: bigint
  readonly lastInsertRowid: bigint
}

/**
 * A connection to a database of a component. Synchronous answers serve guests in every engine; a
 * Promise makes the guest wait, which needs JSPI. What it throws is told to the guest, with its message.
 *
 * Exported from `spindle/run`.
 */
export interface SqliteDatabase {
  /** Runs the first statement of a text, and gives all of its rows. */
  execute(
    statement: string,
    parameters: readonly SqliteValue[],
    limits?: SqliteLimits,
  ): SqliteResult | Promise<SqliteResult>
  /** Like `execute`, for a guest that takes one row after the other. Default: by `execute`. */
  query?(statement: string, parameters: readonly SqliteValue[], limits?: SqliteLimits): SqliteCursor
  /** Runs all statements of a text, for whoever sets a database up. Components never do. */
  executeAll?(text: string, limits?: SqliteLimits): void
  /** What SQLite keeps of the connection. Default: by `SELECT changes()` and `SELECT last_insert_rowid()`. */
  counters?(): SqliteCounters
  /** Called when the component is done with it. Leave it out where several share a connection. */
  close?(): void
}

/** Finds a database by its label: a new connection, or one that is shared. `undefined` when there is none. */
export type OpenSqlite = (database: string) => SqliteDatabase | undefined

interface SqliteHostOptions {
  readonly limits: SqliteLimits
  /** Called once, with what is to be done at the request's end. */
  readonly atEnd: (work: () => void) => void
}

/** `allowed` are the databases that the component's manifest lists. */
export function createSqliteHosts(
  allowed: readonly string[],
  find: OpenSqlite,
  { limits, atEnd }: SqliteHostOptions,
): Readonly<Record<string, HostInterface>> {
  const failed = (error: unknown): Result => {
    // A guest whose time is over is not told: it ends.
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
    if (connections.size >= MOST_OPEN) return err(full) as Result<SqliteDatabase>
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
      // As in Spin, it is the future that says so.
      return ok(streamOfResult(undefined, failed(error)))
    }
  }
  /** A number that SQLite keeps of the connection; it has nowhere to say that it failed. */
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
