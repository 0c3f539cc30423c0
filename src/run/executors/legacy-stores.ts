import { SpindleError } from '../../errors.ts'
import type { HostInterface } from '../component/abi/items.ts'
import type { SqliteValue } from '../host/spin/sqlite-database.ts'
import type { Result } from '../host/wasi/result.ts'
import type { Execution } from '../http/execution.ts'
import type { Access } from './legacy-memory.ts'

type Call = (
  name: string,
  out: number,
  args: readonly unknown[],
  write?: (value: unknown) => void,
) => unknown

/** Calls a function of the host's that gives a result, and writes it where the module wants it. */
function createCall(
  access: Access,
  host: HostInterface['functions'],
  errors: readonly string[],
): Call {
  return (name, out, args, write) => {
    const finish = (result: Result<unknown, { tag: string; val?: string }>): void => {
      access.settle()
      if (result.tag === 'ok') {
        access.u8(out, 0)
        write?.(result.val)
        return access.settle()
      }
      const [at, length] = access.putText(result.val?.val ?? '')
      access.u8(out, 1)
      access.u8(out + 4, Math.max(0, errors.indexOf(result.val?.tag ?? 'io')))
      access.u32(out + 8, at, length)
    }
    const result = (host[name] as (...args: readonly unknown[]) => unknown)(...args)
    return result instanceof Promise
      ? result.then(finish)
      : finish(result as Result<unknown, { tag: string }>)
  }
}

function waitsAll(functions: HostInterface['functions']): HostInterface {
  return { functions, waits: new Set(Object.keys(functions)) }
}

const STORE_ERRORS = [
  'store-table-full',
  'no-such-store',
  'access-denied',
  'invalid-store',
  'no-such-key',
  'io',
]

/** `key-value` as core modules import it. */
export function keyValueHost(access: Access, { imports }: Execution): HostInterface {
  const { functions: host = {} } = imports('fermyon:spin/key-value') ?? {}
  const call = createCall(access, host, STORE_ERRORS)
  return waitsAll({
    open: (name: number, length: number, out: number) =>
      call('open', out, [access.text(name, length)], (id) => access.u32(out + 4, id as number)),
    get: (id: number, key: number, length: number, out: number) =>
      call('get', out, [id, access.text(key, length)], (value) =>
        access.u32(out + 4, ...access.put(value as Uint8Array)),
      ),
    set: (id: number, key: number, length: number, value: number, size: number, out: number) =>
      call('set', out, [id, access.text(key, length), access.copy(value, size)]),
    delete: (id: number, key: number, length: number, out: number) =>
      call('delete', out, [id, access.text(key, length)]),
    exists: (id: number, key: number, length: number, out: number) =>
      call('exists', out, [id, access.text(key, length)], (value) =>
        access.u8(out + 4, value === true ? 1 : 0),
      ),
    'get-keys': (id: number, out: number) =>
      call('get-keys', out, [id], (value) =>
        access.u32(out + 4, ...putTexts(access, value as readonly string[])),
      ),
    close: (id: number) => void (host['close'] as unknown as (id: number) => void)(id),
  })
}

const SQLITE_ERRORS = [
  'no-such-database',
  'access-denied',
  'invalid-connection',
  'database-full',
  'io',
]
/** In the order of their discriminants. */
const VALUES = ['integer', 'real', 'text', 'blob', 'null'] as const
const VALUE_SIZE = 16

interface Rows {
  readonly columns: readonly string[]
  readonly rows: ReadonlyArray<{ readonly values: readonly SqliteValue[] }>
}

/** `sqlite` as core modules import it; nothing where there is no database at all, so that a call is refused by name. */
export function sqliteHost(
  access: Access,
  { imports }: Execution,
): Readonly<Record<string, HostInterface>> {
  const { functions: host = {} } = imports('fermyon:spin/sqlite') ?? {}
  if (host['open'] === undefined) return {}
  const call = createCall(access, host, SQLITE_ERRORS)
  const sqlite = waitsAll({
    open: (name: number, length: number, out: number) =>
      call('open', out, [access.text(name, length)], (id) => access.u32(out + 4, id as number)),
    execute: (id: number, text: number, length: number, at: number, count: number, out: number) =>
      call(
        'execute',
        out,
        [id, access.text(text, length), readValues(access, at, count)],
        (value) => {
          const { columns, rows } = value as Rows
          access.u32(out + 4, ...putTexts(access, columns), ...putRows(access, rows))
        },
      ),
    close: (id: number) => void (host['close'] as unknown as (id: number) => void)(id),
  })
  return { sqlite }
}

function putTexts(access: Access, texts: readonly string[]): readonly [number, number] {
  const at = access.allocate(texts.length * 8, 4)
  texts.forEach((text, i) => access.u32(at + i * 8, ...access.putText(text)))
  return [at, texts.length]
}

function putRows(access: Access, rows: Rows['rows']): readonly [number, number] {
  const at = access.allocate(rows.length * 8, 4)
  rows.forEach(({ values }, i) => access.u32(at + i * 8, ...putValues(access, values)))
  return [at, rows.length]
}

function putValues(access: Access, values: readonly SqliteValue[]): readonly [number, number] {
  const start = access.allocate(values.length * VALUE_SIZE, 8)
  values.forEach((value, i) => {
    const at = start + i * VALUE_SIZE
    access.u8(at, VALUES.indexOf(value.tag))
    if (value.tag === 'integer') access.view().setBigInt64(at + 8, value.val, true)
    else if (value.tag === 'real') access.view().setFloat64(at + 8, value.val, true)
    else if (value.tag === 'text') access.u32(at + 8, ...access.putText(value.val))
    else if (value.tag === 'blob') access.u32(at + 8, ...access.put(value.val))
  })
  return [start, values.length]
}

function readValues({ items, view }: Access, start: number, count: number): SqliteValue[] {
  return items(start, count, VALUE_SIZE, (at, within): SqliteValue => {
    const tag = VALUES[view().getUint8(at)]
    switch (tag) {
      case 'integer':
        return { tag, val: view().getBigInt64(at + 8, true) }
      case 'real':
        return { tag, val: view().getFloat64(at + 8, true) }
      case 'text':
        return { tag, val: within.text(at + 8) }
      case 'blob':
        return { tag, val: within.copy(at + 8) }
      case 'null':
        return { tag }
      default:
        throw new SpindleError('ERR_TRAP', 'the module gives SQLite a value of no kind')
    }
  })
}
