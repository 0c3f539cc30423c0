import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { expect, it } from 'vitest'
import { createFileSqlite } from '../../src/node/index.ts'
import type { SqliteDatabase, SqliteResult, SqliteValue } from '../../src/run/index.ts'
import { sqlite } from '../run/sqlite-engine.ts'
import { createMachine } from './machine.ts'

function openFile(): { readonly path: string; readonly open: () => SqliteDatabase } {
  const path = createMachine().path('kept/some.db')
  return { path, open: () => createFileSqlite(path, sqlite)() }
}

const run = (database: SqliteDatabase, ...statements: string[]): SqliteValue | undefined => {
  let last: SqliteResult | undefined
  for (const statement of statements) last = database.execute(statement, []) as SqliteResult
  return last?.rows[0]?.[0]
}
/** Since Node 22.13. */
const hasNativeLocks = process.getBuiltinModule('node:sqlite') !== undefined

const integer = (val: bigint): SqliteValue => ({ tag: 'integer', val })

it('has what was committed before, and nothing that was not', () => {
  const { open } = openFile()
  const first = open()
  run(first, 'create table t (a)', 'insert into t values (1)')
  expect(run(open(), 'select count(*) from t')).toEqual(integer(1n))
  run(first, 'begin', 'insert into t values (2)')
  expect(run(open(), 'select count(*) from t')).toEqual(integer(1n))
  run(first, 'rollback', 'begin', 'insert into t values (3)', 'commit')
  expect(run(open(), 'select sum(a) from t')).toEqual(integer(4n))
})

it.each([
  ['create table t (a)', 'select count(*) from sqlite_schema', 1n],
  ['pragma user_version = 7', 'pragma user_version', 7n],
])('keeps what %s changes', (statement, question, answer) => {
  const { open } = openFile()
  run(open(), statement)
  expect(run(open(), question)).toEqual(integer(answer))
})

it('does not write what nothing has changed, nor forget what is of the connection', () => {
  const { path, open } = openFile()
  const database = open()
  run(database, 'create table t (a)', 'insert into t values (1), (2)')
  const before = statSync(path, { bigint: true })
  expect(run(database, 'select last_insert_rowid()')).toEqual(integer(2n))
  expect(run(database, 'select changes()')).toEqual(integer(2n))
  expect(statSync(path, { bigint: true })).toEqual(before)
})

it('reads again what another has written', () => {
  const { open } = openFile()
  const [one, other] = [open(), open()]
  run(one, 'create table t (a)')
  run(other, 'insert into t values (1)')
  run(one, 'insert into t values (2)')
  expect(run(other, 'select count(*) from t')).toEqual(integer(2n))
})

it('lets one transaction write at a time, and others read what was before it', () => {
  const { open } = openFile()
  const [one, other] = [open(), open()]
  run(one, 'create table t (a)', 'begin', 'insert into t values (1)')
  expect(() => run(other, 'insert into t values (2)')).toThrow('database is locked')
  expect(run(other, 'select count(*) from t')).toEqual(integer(0n))
  run(one, 'commit')
  run(other, 'insert into t values (2)')
  expect(run(one, 'select group_concat(a) from t')).toEqual({ tag: 'text', val: '1,2' })
})

// Spin and `sqlite3` take the same locks.
const OTHER = `
  const { DatabaseSync } = require('node:sqlite')
  const database = new DatabaseSync(process.argv[1])
  database.exec('BEGIN IMMEDIATE')
  database.exec('INSERT INTO t VALUES (2)')
  console.log('writes')
  setTimeout(() => {
    database.exec('COMMIT')
    database.close()
  }, 300)`

it("waits for another process's transaction, by SQLite's own lock where Node has it", async () => {
  const { path, open } = openFile()
  const database = open()
  run(database, 'create table t (a)')
  if (!hasNativeLocks) {
    run(database, 'begin', 'insert into t values (1)')
    expect(existsSync(`${path}.lock`)).toBe(true)
    run(database, 'commit')
    return expect(existsSync(`${path}.lock`)).toBe(false)
  }
  const other = spawn(process.execPath, ['-e', OTHER, path], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(other.stdout, 'data')
  run(database, 'insert into t values (1)')
  expect(run(database, 'select group_concat(a) from t')).toEqual({ tag: 'text', val: '2,1' })
})

it('goes back to what was before a transaction that a crash has cut off', () => {
  const { path, open } = openFile()
  const first = open()
  run(first, 'create table t (a)', `insert into t values (randomblob(${50_000}))`)
  run(
    first,
    'pragma cache_size = 1',
    'begin',
    'delete from t',
    'insert into t values (randomblob(50000))',
  )
  // As both files are when the process ends here.
  const [database, journal] = [readFileSync(path), readFileSync(`${path}-journal`)]
  const copy = createMachine().write('copy.db', database)
  writeFileSync(`${copy}-journal`, journal)
  const again = createFileSqlite(copy, sqlite)()
  expect(run(again, 'select count(*) from t')).toEqual(integer(1n))
  expect(run(again, 'pragma integrity_check')).toEqual({ tag: 'text', val: 'ok' })
  expect(existsSync(`${copy}-journal`)).toBe(false)
})

it('takes a lock over that a crash has left', () => {
  const { path, open } = openFile()
  const database = open()
  writeFileSync(`${path}.lock`, '')
  const before = new Date(Date.now() - 60_000)
  utimesSync(`${path}.lock`, before, before)
  run(database, 'create table t (a)')
  // Nobody heeds it where SQLite's own locks are taken.
  expect(existsSync(`${path}.lock`)).toBe(hasNativeLocks)
})

it('opens no other file for a statement', () => {
  const { path, open } = openFile()
  const database = open()
  run(database, 'create table secret (a)')
  const attach = `attach '${path}' as other`
  expect(() => run(database, attach, 'select * from other.secret')).toThrow()
})

it('says so when the file is something else', () => {
  const { path, open } = openFile()
  open()
  writeFileSync(path, 'this is no database, and long enough to have been one'.repeat(20))
  expect(() => run(open(), 'select 1 from sqlite_schema')).toThrow('file is not a database')
})

it('refuses a database with a write-ahead log by name', () => {
  const { path, open } = openFile()
  const database = open()
  run(database, 'create table t (a)')
  database.close?.()
  const bytes = readFileSync(path)
  bytes[18] = bytes[19] = 2
  writeFileSync(path, bytes)
  expect(open).toThrow(
    expect.objectContaining({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining('PRAGMA journal_mode = DELETE'),
    }),
  )
})
