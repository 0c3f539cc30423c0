/** An SQLite value, in a row or as a parameter. */
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

/** The rows of a running statement. */
export interface SqliteCursor {
  readonly columns: readonly string[]
  /** The next row; `undefined` after the last one. */
  next(): readonly SqliteValue[] | undefined
  /** Ends the statement. Idempotent. */
  close(): void
}

/** Limits of a statement, from the request that it belongs to. */
export interface SqliteLimits {
  /** Throws after the request's deadline. Call it regularly while a statement runs. */
  assertInTime(): void
  /** Charges bytes to the request's memory. Throws when they exceed the limit. */
  charge(bytes: number): void
  /** Releases charged bytes. */
  release(bytes: number): void
  /** Bytes that remain for the request. */
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
  /** Runs the first statement of a text and returns all rows. */
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

/** Opens a database by label: a new or a shared connection. `undefined` when there is none. */
export type OpenSqlite = (database: string) => SqliteDatabase | undefined
