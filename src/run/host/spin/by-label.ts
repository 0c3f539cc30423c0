import type { KeyValueStore } from './key-value-store.ts'
import type { OpenSqlite, SqliteDatabase } from './sqlite-database.ts'

/** The option `keyValue`: stores by label, or a function of the label. */
type KeyValueOption =
  Readonly<Record<string, KeyValueStore>> | ((label: string) => KeyValueStore | undefined)

/** The option `sqlite`: functions that open a database, by label, or one function of the label. */
type SqliteOption = Readonly<Record<string, () => SqliteDatabase>> | OpenSqlite

/**
 * The option `keyValue` as a function of the label.
 * @throws `TypeError` for a store in place of an object by label.
 */
export function keyValueByLabel(
  option: KeyValueOption,
): (label: string) => KeyValueStore | undefined {
  if (typeof option === 'function') return option
  for (const [label, store] of entriesOf(option, 'keyValue'))
    if (typeof store?.get !== 'function' || typeof store.set !== 'function')
      throw new TypeError(
        `\`keyValue.${label}\` is not a store: pass an object by label, such as { default: createMemoryKeyValue() }`,
      )
  return (label) => (Object.hasOwn(option, label) ? option[label] : undefined)
}

/**
 * The option `sqlite` as a function of the label.
 * @throws `TypeError` for a database in place of an object by label, or of a function that opens it.
 */
export function sqliteByLabel(option: SqliteOption): OpenSqlite {
  if (typeof option === 'function') return option
  for (const [label, open] of entriesOf(option, 'sqlite'))
    if (typeof open !== 'function' || label === 'execute')
      throw new TypeError(
        `\`sqlite.${label}\` does not open a database: pass an object by label, such as { default: createSqliteWasm(sqlite3) }`,
      )
  return (label) => (Object.hasOwn(option, label) ? option[label]?.() : undefined)
}

function entriesOf<T>(option: Readonly<Record<string, T>>, name: string): [string, T][] {
  if (typeof option !== 'object' || option === null)
    throw new TypeError(`\`${name}\` is an object by label, or a function of the label`)
  return Object.entries(option)
}
