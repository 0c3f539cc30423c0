import { createHostFuture, createHostStream } from '../../component/async/host-transfer.ts'
import type { Readable } from '../../component/abi/transfer.ts'
import { err, ok, type Result } from '../wasi/result.ts'
import { READY } from '../wasi/streams.ts'
import { streamOfItems } from '../wasi3/transfers.ts'
import type { SqliteCursor, SqliteLimits, SqliteResult, SqliteValue } from './sqlite-database.ts'

/** Result of `execute-async`: columns, stream of rows, and future of the outcome. */
type RowStream = readonly [columns: readonly string[], rows: Readable, outcome: Readable]

/** Rows that are read ahead, as many as Spin's channel buffers: a short result completes without the guest. */
const READ_AHEAD = 4
/** Rows per read of a guest; a read also ends after `BYTES_AT_ONCE`. */
const ROWS_AT_ONCE = 1024
const BYTES_AT_ONCE = 64 * 1024

/** Overhead of a row, and of a value besides its text or bytes. */
const ROW_BYTES = 48
const VALUE_BYTES = 96

/** Bytes charged for a row. */
export function rowBytes(row: readonly SqliteValue[]): number {
  return row.reduce((sum, value) => {
    if (value.tag === 'text') return sum + VALUE_BYTES + 2 * value.val.length
    return sum + VALUE_BYTES + (value.tag === 'blob' ? value.val.length : 0)
  }, ROW_BYTES)
}

/** Streams the rows of a statement; each is produced when the guest reads it. */
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
      // No effect after the last row: the outcome is already set.
      finish(err({ tag: 'io', val: 'the rows were not read to their end' }))
    },
  })
  return [cursor.columns, rows, createHostFuture(outcome)]
}

/** Streams buffered rows; without a result, only the outcome. */
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
