import { describe, expect, it } from 'vitest'
import { keyValueByLabel, sqliteByLabel } from '../../src/run/host/spin/by-label.ts'
import { createMemoryKeyValue } from '../../src/run/host/spin/key-value-store.ts'
import type { SqliteDatabase } from '../../src/run/host/spin/sqlite-database.ts'

const store = createMemoryKeyValue()
const database: SqliteDatabase = { execute: () => ({ columns: [], rows: [] }) }

describe('the options `keyValue` and `sqlite`', () => {
  it('take an object by label', () => {
    expect(keyValueByLabel({ default: store })('default')).toBe(store)
    expect(keyValueByLabel({ default: store })('toString')).toBeUndefined()
    expect(sqliteByLabel({ default: () => database })('default')).toBe(database)
    expect(sqliteByLabel({ default: () => database })('constructor')).toBeUndefined()
  })

  it('take a function of the label', () => {
    expect(keyValueByLabel(() => store)('any')).toBe(store)
    expect(sqliteByLabel(() => database)('any')).toBe(database)
  })

  it.each([
    ['a store', () => keyValueByLabel(store as never)],
    ['null for stores', () => keyValueByLabel(null as never)],
    ['a maker of stores', () => keyValueByLabel({ default: createMemoryKeyValue as never })],
    ['a database', () => sqliteByLabel(database as never)],
    ['an open database', () => sqliteByLabel({ default: database as never })],
  ])('refuse %s', (_name, call) => {
    expect(call).toThrow(TypeError)
  })
})
