import { createHostFuture, createHostStream } from '../../component/async/host-transfer.ts'
import type { Readable } from '../../component/abi/transfer.ts'
import { err, ok, type Result } from '../wasi/result.ts'
import { READY } from '../wasi/streams.ts'
import { streamOfItems } from '../wasi3/transfers.ts'
import type { SqliteCursor, SqliteLimits, SqliteResult, SqliteValue } from './sqlite-database.ts'

/** What `execute-async` gives: columns, rows, and how they ended. */
type RowStream = readonly [columns: readonly string[], rows: Readable, outcome: Readable]

/** Rows that are read before the guest asks, as Spin's channel has room for: a short answer ends by itself. */
const READ_AHEAD = 4
/** What is given to a guest at a time: so many rows, or after so many bytes. */
const ROWS_AT_ONCE = 1024
const BYTES_AT_ONCE = 64 * 1024

/** What a row, and a value in it, take beside text or bytes. */
const ROW_BYTES = 48
const VALUE_BYTES = 96

/** Bytes that a row takes here. */
export function rowBytes(row: readonly SqliteValue[]): number {
  return row.reduce((sum, value) => {
    if (value.tag === 'text') return sum + VALUE_BYTES + 2 * value.val.length
    return sum + VALUE_BYTES + (value.tag === 'blob' ? value.val.length : 0)
  }, ROW_BYTES)
}

/** The rows of a statement, each made when the guest reads it. */
export function streamOfRows(
  cursor: SqliteCursor,
  limits: SqliteLimits,
  failed: (error: unknown) => Result,
): RowStream {
  let known: Result | undefined
  let finish = (outcome: Result): void => void (known ??= outcome)
  const next = (): readonly SqliteValue[] | undefined => {
    try {
      const row = cursor.next()
      if (row === undefined) finish(ok())
      else limits.charge(rowBytes(row))
      return row
    } catch (error) {
      cursor.close()
      finish(failed(error))
      return undefined
    }
  }
  const ahead: Array<readonly SqliteValue[]> = []
  while (ahead.length < READ_AHEAD) {
    const row = next()
    if (row === undefined) break
    ahead.push(row)
  }
  const outcome = known ?? new Promise<Result>((resolve) => (finish = resolve))
  const rows = createHostStream({
    ...READY,
    read(max) {
      const part: unknown[] = []
      let bytes = 0
      while (part.length < Math.min(max, ROWS_AT_ONCE) && bytes < BYTES_AT_ONCE) {
        const values = ahead.shift() ?? next()
        if (values === undefined) break
        part.push({ values })
        bytes += rowBytes(values)
      }
      limits.release(bytes)
      return part.length === 0 && max > 0 ? undefined : part
    },
    close() {
      cursor.close()
      limits.release(ahead.reduce((sum, row) => sum + rowBytes(row), 0))
      // No effect where the last row was read: it has an outcome.
      finish(err({ tag: 'io', val: 'the rows were not read to their end' }))
    },
  })
  return [cursor.columns, rows, createHostFuture(outcome)]
}

/** Rows that are all there; without them nothing but how they ended. */
export function streamOfResult(result?: SqliteResult, outcome?: Result): RowStream {
  const { columns = [], rows = [] } = result ?? {}
  return [
    columns,
    ...streamOfItems(
      rows.map((values) => ({ values })),
      outcome,
    ),
  ]
}
