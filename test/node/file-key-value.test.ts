import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { expect, it } from 'vitest'
import { createFileKeyValue, createFileSqlite } from '../../src/node/index.ts'
import { createAppHandler, type SqliteResult } from '../../src/run/index.ts'
import { createKeyValueHosts } from '../../src/run/host/spin/key-value.ts'
import { bytesOfFile, pulledApp } from '../run/fixtures.ts'
import { sqlite } from '../run/sqlite-engine.ts'
import { createMachine } from './machine.ts'

const makeFile = (): string => createMachine().path('kept/sqlite_key_value.db')
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

it.each(['', '.', '../up', 'ä/😀', 'x'.repeat(1000), '\0'])('keeps a value under %j', (key) => {
  const file = makeFile()
  const store = createFileKeyValue(file, sqlite)
  expect(store.get(key)).toBeUndefined()
  store.set(key, bytes('one'))
  store.set(key, bytes('two'))
  expect(createFileKeyValue(file, sqlite).get(key)).toEqual(bytes('two'))
  expect(store.keys()).toEqual([key])
  store.delete(key)
  store.delete(key)
  expect(store.keys()).toEqual([])
})

it("has Spin's table, with the stores of a file apart", () => {
  const file = makeFile()
  createFileKeyValue(file, sqlite).set('a', bytes('1'))
  createFileKeyValue(file, sqlite, { store: 'other' }).set('a', bytes('2'))
  const query = 'SELECT store, key, CAST(value AS TEXT) FROM spin_key_value ORDER BY store'
  const { rows } = createFileSqlite(file, sqlite)().execute(query, []) as SqliteResult
  expect(rows.map((row) => row.map((value) => 'val' in value && value.val))).toEqual([
    ['default', 'a', '1'],
    ['other', 'a', '2'],
  ])
})

it('says so when a value is no bytes, and when the file is something else', () => {
  const file = makeFile()
  const store = createFileKeyValue(file, sqlite)
  store.set('a', bytes('1'))
  void createFileSqlite(file, sqlite)().execute("UPDATE spin_key_value SET value = 'text'", [])
  expect(() => store.get('a')).toThrow(expect.objectContaining({ code: 'ERR_CONTENT_INVALID' }))
  const broken = createMachine().write('broken.db', 'no database, however long it is'.repeat(100))
  expect(() => createFileKeyValue(broken, sqlite).get('a')).toThrow('not a database')
})

it('increments together with other processes, and undoes what failed', () => {
  const file = makeFile()
  const [one, other] = [createFileKeyValue(file, sqlite), createFileKeyValue(file, sqlite)]
  const { functions } =
    createKeyValueHosts([], () => one)['wasi:keyvalue/atomics@0.2.0-draft2'] ?? {}
  const increment = functions?.['increment'] as unknown as (...args: unknown[]) => unknown
  expect(increment(one, 'n', 2n)).toEqual({ tag: 'ok', val: 2n })
  expect(increment(other, 'n', 3n)).toEqual({ tag: 'ok', val: 5n })
  expect(() =>
    one.together?.(() => {
      one.set('a', bytes('1'))
      expect(() => other.set('b', bytes('2'))).toThrow('locked')
      throw new Error('given up')
    }),
  ).toThrow('given up')
  expect(one.keys()).toEqual(['n'])
})

it('loses nothing that another program stores at the same time, where Node has SQLite', () => {
  const file = makeFile()
  const store = createFileKeyValue(file, sqlite)
  store.set('ours', bytes('1'))
  if (process.getBuiltinModule('node:sqlite') === undefined)
    return expect(store.keys()).toEqual(['ours'])
  const script = `
    const { DatabaseSync } = require('node:sqlite')
    const database = new DatabaseSync(process.argv[1])
    database.prepare("INSERT INTO spin_key_value VALUES ('default', 'theirs', x'32')").run()`
  const { status } = spawnSync(process.execPath, ['-e', script, file])
  expect(status).toBe(0)
  expect(store.get('theirs')).toEqual(bytes('2'))
  return expect(store.get('ours')).toEqual(bytes('1'))
})

it('keeps what a component stores from one process to the next', async () => {
  const file = makeFile()
  const app = pulledApp(
    {
      guest: {
        wasm: bytesOfFile('test/guests/proxy.wasm'),
        metadata: { key_value_stores: ['default'] },
      },
    },
    [{ route: '/...', component: 'guest' }],
  )
  for (const count of [1, 2]) {
    const handler = await createAppHandler(app, {
      jspi: false,
      keyValue: () => createFileKeyValue(file, sqlite),
    })
    const response = await handler.fetch(new Request('http://app.example/kv/default'))
    expect(await response.text()).toBe(`count ${count}\n`)
  }
})
