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
