import { SpindleError } from '../../../errors.ts'
import { decodeUtf8, decodeUtf8Lossy, encodeUtf8 } from '../../../bytes/text.ts'
import { rowBytes } from './sqlite-rows.ts'
import type { SqliteCursor, SqliteDatabase, SqliteLimits, SqliteValue } from './sqlite-database.ts'

/** An address in the memory of SQLite's module. */
export type Pointer = number

/** What is used of `@sqlite.org/sqlite-wasm`, once it is initialized. */
export interface SqliteWasm {
  readonly capi: {
    sqlite3_open_v2(file: string, out: Pointer, flags: number, vfs: string | number): number
    sqlite3_close_v2(database: Pointer): number
    sqlite3_db_config(database: Pointer, option: number, value: number, out: Pointer): number
    sqlite3_limit(database: Pointer, category: number, value: number): number
    sqlite3_set_authorizer(
      database: Pointer,
      allow: (unused: Pointer, action: number, first: string | 0, second: string | 0) => number,
      unused: Pointer,
    ): number
    sqlite3_progress_handler(
      database: Pointer,
      steps: number,
      stop: (unused: Pointer) => number,
      unused: Pointer,
    ): void
    sqlite3_status(kind: number, current: Pointer, highest: Pointer, reset: number): number
    sqlite3_changes64(database: Pointer): bigint
    sqlite3_last_insert_rowid(database: Pointer): bigint
    sqlite3_errmsg(database: Pointer): string
    sqlite3_error_offset(database: Pointer): number
    sqlite3_prepare_v2(
      database: Pointer,
      text: Pointer,
      length: number,
      out: Pointer,
      tail: Pointer,
    ): number
    sqlite3_finalize(statement: Pointer): number
    sqlite3_step(statement: Pointer): number
    sqlite3_bind_parameter_count(statement: Pointer): number
    sqlite3_bind_int64(statement: Pointer, index: number, value: bigint): number
    sqlite3_bind_double(statement: Pointer, index: number, value: number): number
    sqlite3_bind_text(
      statement: Pointer,
      index: number,
      at: Pointer,
      length: number,
      free: Pointer,
    ): number
    sqlite3_bind_blob(
      statement: Pointer,
      index: number,
      at: Pointer,
      length: number,
      free: Pointer,
    ): number
    sqlite3_column_count(statement: Pointer): number
    sqlite3_column_name(statement: Pointer, index: number): string
    sqlite3_column_type(statement: Pointer, index: number): number
    sqlite3_column_int64(statement: Pointer, index: number): bigint
    sqlite3_column_double(statement: Pointer, index: number): number
    sqlite3_column_blob(statement: Pointer, index: number): Pointer
    sqlite3_column_bytes(statement: Pointer, index: number): number
  }
  readonly wasm: {
    alloc(bytes: number): Pointer
    dealloc(at: Pointer): void
    peekPtr(at: Pointer): Pointer
    peek32(at: Pointer): number
    heap8u(): Uint8Array
  }
}

// https://sqlite.org/c3ref/constlist.html
const OK = 0
const ERROR = 1
const ROW = 100
const DONE = 101
const DENY = 1
const IGNORE = 2
const READWRITE_CREATE_URI = 0x2 | 0x4 | 0x40
const INTEGER = 1
const FLOAT = 2
const TEXT = 3
const BLOB = 4
const STATUS_MEMORY_USED = 0
const LIMIT_LENGTH = 0
const AUTH_PRAGMA = 19
const AUTH_ATTACH = 24
const CONFIG_ENABLE_FKEY = 1002
const CONFIG_DQS_DML = 1013
const CONFIG_DQS_DDL = 1014

/** Steps of SQLite's machine between two looks at time and memory: some 20 microseconds. */
const STEPS = 1000
/** Bytes of rows that one call gives, as in Spin: all of them are buffered. */
const MAX_RESULT_BYTES = 128 * 1024 * 1024
/** Bytes of the longest text or blob that SQLite handles at all. */
const MAX_VALUE_BYTES = 1_000_000_000

/** Asks SQLite to copy what is bound. */
const TRANSIENT = -1

const FREE: SqliteLimits = { assertInTime() {}, charge() {}, release() {}, free: MAX_VALUE_BYTES }

/** One connection. The engine is shared: it runs one statement's step at a time. */
export function openConnection(
  { capi, wasm }: SqliteWasm,
  file: string,
  { vfs, maxMemory }: { readonly vfs?: string | undefined; readonly maxMemory: number },
): SqliteDatabase {
  // For results by pointer, of 8 bytes at most.
  const scratch = wasm.alloc(8)
  let database = 0
  let current = FREE
  let charged = 0
  let base = 0
  let ended: unknown
  let maxLength = 0
  /** Ends of the statements that are under way. */
  const statements = new Set<() => void>()

  const used = (): number => {
    capi.sqlite3_status(STATUS_MEMORY_USED, scratch, scratch + 4, 0)
    return wasm.peek32(scratch)
  }
  const message = (): string => capi.sqlite3_errmsg(database)
  const failed = (): Error => new Error(message())
  const check = (code: number): void => {
    if (code !== OK) throw failed()
  }
  /** What the statement has made SQLite hold since it began. */
  const charge = (): void => {
    const held = Math.max(0, used() - base)
    if (held > charged) current.charge(held - charged)
    else current.release(charged - held)
    charged = held
  }
  /** Does one thing under the limits of a request. An exception can't pass through SQLite. */
  const within = <T>(limits: SqliteLimits, work: () => T): T => {
    if (database === 0) throw new Error('the connection is closed')
    const length = Math.min(MAX_VALUE_BYTES, Math.max(1, limits.free))
    if (length !== maxLength) capi.sqlite3_limit(database, LIMIT_LENGTH, (maxLength = length))
    current = limits
    base = used()
    charged = 0
    ended = undefined
    try {
      const result = work()
      charge()
      return result
    } catch (error) {
      throw ended ?? error
    } finally {
      current.release(charged)
      current = FREE
    }
  }
  const stop = (): number => {
    try {
      current.assertInTime()
      charge()
      return 0
    } catch (error) {
      ended = error
      return 1
    }
  }

  const close = (): void => {
    if (database === 0) return
    for (const end of statements) end()
    capi.sqlite3_close_v2(database)
    wasm.dealloc(scratch)
    database = 0
  }

  const code = capi.sqlite3_open_v2(file, scratch, READWRITE_CREATE_URI, vfs ?? 0)
  database = wasm.peekPtr(scratch)
  if (code !== OK) {
    const reason = database === 0 ? 'out of memory' : message()
    close()
    throw new SpindleError('ERR_UNSUPPORTED', `the database can't be opened: ${reason}`)
  }
  // As Spin's build of SQLite has it.
  for (const option of [CONFIG_ENABLE_FKEY, CONFIG_DQS_DML, CONFIG_DQS_DDL])
    capi.sqlite3_db_config(database, option, 1, 0)

  const copyIn = (bytes: Uint8Array): Pointer => {
    let at
    try {
      // An address even for nothing: without one it is null.
      at = wasm.alloc(Math.max(1, bytes.length))
    } catch {
      throw new Error('out of memory')
    }
    wasm.heap8u().set(bytes, at)
    return at
  }
  const bind = (statement: Pointer, index: number, value: SqliteValue): number => {
    switch (value.tag) {
      case 'null':
        // What nothing is bound to is null.
        return OK
      case 'integer':
        return capi.sqlite3_bind_int64(statement, index, value.val)
      case 'real':
        return capi.sqlite3_bind_double(statement, index, value.val)
    }
    const bytes = value.tag === 'text' ? encodeUtf8(value.val) : value.val
    const at = copyIn(bytes)
    try {
      return value.tag === 'text'
        ? capi.sqlite3_bind_text(statement, index, at, bytes.length, TRANSIENT)
        : capi.sqlite3_bind_blob(statement, index, at, bytes.length, TRANSIENT)
    } finally {
      wasm.dealloc(at)
    }
  }
  /** The first statement of what is at an address, and where the next one begins; 0 for a comment. */
  const prepareAt = (at: Pointer, length: number): readonly [statement: Pointer, next: Pointer] => {
    const prepared = capi.sqlite3_prepare_v2(database, at, length, scratch, scratch + 4)
    if (prepared !== OK) {
      const offset = (prepared & 0xff) === ERROR ? capi.sqlite3_error_offset(database) : -1
      if (offset < 0) throw failed()
      const text = decodeUtf8Lossy(wasm.heap8u().slice(at, at + length))
      throw new Error(`${message()} in ${text} at offset ${offset}`)
    }
    return [wasm.peekPtr(scratch), wasm.peekPtr(scratch + 4)]
  }
  const prepare = (text: string): Pointer => {
    const bytes = encodeUtf8(text)
    const at = copyIn(bytes)
    try {
      const [statement] = prepareAt(at, bytes.length)
      if (statement === 0) throw new Error('there is no statement')
      return statement
    } finally {
      wasm.dealloc(at)
    }
  }
  const bytesAt = (statement: Pointer, index: number): Uint8Array => {
    const at = capi.sqlite3_column_blob(statement, index)
    return wasm.heap8u().slice(at, at + capi.sqlite3_column_bytes(statement, index))
  }
  const valueAt = (statement: Pointer, index: number): SqliteValue => {
    switch (capi.sqlite3_column_type(statement, index)) {
      case INTEGER:
        return { tag: 'integer', val: capi.sqlite3_column_int64(statement, index) }
      case FLOAT:
        return { tag: 'real', val: capi.sqlite3_column_double(statement, index) }
      case BLOB:
        return { tag: 'blob', val: bytesAt(statement, index) }
      case TEXT: {
        const val = decodeUtf8(bytesAt(statement, index))
        if (val === undefined)
          throw new Error('the text is not UTF-8: have it given as a blob, by CAST(… AS BLOB)')
        return { tag: 'text', val }
      }
      default:
        return { tag: 'null' }
    }
  }

  const query = (
    text: string,
    parameters: readonly SqliteValue[],
    limits: SqliteLimits = FREE,
  ): SqliteCursor => {
    let statement = within(limits, () => prepare(text))
    const end = (): void => {
      if (statement !== 0) capi.sqlite3_finalize(statement)
      statement = 0
      statements.delete(end)
    }
    statements.add(end)
    const columns = Array.from({ length: capi.sqlite3_column_count(statement) }, (_, i) =>
      capi.sqlite3_column_name(statement, i),
    )
    try {
      within(limits, () => {
        const wanted = capi.sqlite3_bind_parameter_count(statement)
        if (wanted !== parameters.length)
          throw new Error(
            `Wrong number of parameters passed to query. Got ${parameters.length}, needed ${wanted}`,
          )
        parameters.forEach((value, i) => check(bind(statement, i + 1, value)))
      })
    } catch (error) {
      end()
      throw error
    }
    return {
      columns,
      next: () => {
        if (statement === 0) return undefined
        try {
          const row = within(limits, () => {
            const stepped = capi.sqlite3_step(statement)
            if (stepped === DONE) return undefined
            if (stepped !== ROW) throw failed()
            return columns.map((_, i) => valueAt(statement, i))
          })
          if (row === undefined) end()
          return row
        } catch (error) {
          end()
          throw error
        }
      },
      close: end,
    }
  }

  const limit = query(`PRAGMA hard_heap_limit = ${maxMemory}`, [])
  limit.next()
  limit.close()
  capi.sqlite3_progress_handler(database, STEPS, stop, 0)
  capi.sqlite3_set_authorizer(
    database,
    (_, action, first, second) => authorize(action, first, second),
    0,
  )
  return {
    query,
    execute(text, parameters, limits = FREE) {
      const cursor = query(text, parameters, limits)
      const rows: Array<readonly SqliteValue[]> = []
      let bytes = 0
      try {
        for (let row = cursor.next(); row !== undefined; row = cursor.next()) {
          const more = rowBytes(row)
          limits.charge(more)
          bytes += more
          if (bytes > MAX_RESULT_BYTES)
            throw new SpindleError(
              'ERR_LIMIT_EXCEEDED',
              `query result exceeds limit of ${MAX_RESULT_BYTES} bytes: ask for less of it at a time`,
            )
          rows.push(row)
        }
        return { columns: cursor.columns, rows }
      } finally {
        cursor.close()
        limits.release(bytes)
      }
    },
    executeAll(text, limits = FREE) {
      // SQLite copies text that doesn't end in a zero, for each statement the whole rest.
      const bytes = encodeUtf8(`${text}\0`)
      const start = copyIn(bytes)
      const end = start + bytes.length
      try {
        for (let at = start; at < end - 1;) {
          const [statement, next] = within(limits, () => prepareAt(at, end - at))
          if (next === at) throw new Error('there is a zero character between the statements')
          at = next
          if (statement === 0) continue
          try {
            within(limits, () => {
              let stepped
              do stepped = capi.sqlite3_step(statement)
              while (stepped === ROW)
              if (stepped !== DONE) throw failed()
            })
          } finally {
            capi.sqlite3_finalize(statement)
          }
        }
      } finally {
        wasm.dealloc(start)
      }
    },
    counters: () => ({
      changes: capi.sqlite3_changes64(database),
      lastInsertRowid: capi.sqlite3_last_insert_rowid(database),
    }),
    close,
  }
}

/** Limits of the engine, which all requests share, and where it would look for files. */
const HOSTS_PRAGMAS: ReadonlySet<string> = new Set(['hard_heap_limit', 'soft_heap_limit'])
/** The host waits for locks itself, and has no temporary files: these have no effect. */
const IDLE_PRAGMAS: ReadonlySet<string> = new Set(['busy_timeout', 'temp_store'])

/** What a statement may do. As in Spin, it may attach a new database in memory, but no file. */
function authorize(action: number, first: string | 0, second: string | 0): number {
  // A name that is computed comes as none: it may be any.
  if (action === AUTH_ATTACH) return first === '' || first === ':memory:' ? OK : DENY
  if (action !== AUTH_PRAGMA || first === 0) return OK
  const pragma = first.toLowerCase()
  if (HOSTS_PRAGMAS.has(pragma)) return DENY
  // It takes memory that processes share, without which nobody could open the file again.
  if (pragma === 'journal_mode' && second !== 0 && second.toLowerCase() === 'wal') return DENY
  return IDLE_PRAGMAS.has(pragma) ? IGNORE : OK
}
