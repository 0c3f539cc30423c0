import { existsSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import initSqlJs from 'sql.js'
import { expect, it } from 'vitest'
import { createFileSqlite } from '../../src/node/index.ts'
import type { SqliteDatabase, SqliteResult, SqliteValue } from '../../src/run/index.ts'
import { createMachine } from './machine.ts'

const { Database } = await initSqlJs()

function openFile(): { readonly path: string; readonly open: () => SqliteDatabase } {
  const path = createMachine().path('kept/some.db')
  return { path, open: () => createFileSqlite(path, Database) }
}

const run = (database: SqliteDatabase, ...statements: string[]): SqliteValue | undefined => {
  let last: SqliteResult | undefined
  for (const statement of statements) last = database.execute(statement, []) as SqliteResult
  return last?.rows[0]?.[0]
}
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

it('refuses a transaction during which another has written, and keeps what that one wrote', () => {
  const { open } = openFile()
  const [one, other] = [open(), open()]
  run(one, 'create table t (a)', 'begin', 'insert into t values (1)')
  run(other, 'insert into t values (2)')
  expect(() => run(one, 'commit')).toThrow(
    expect.objectContaining({
      code: 'ERR_CONFLICT',
      message: expect.stringContaining('begin it again'),
    }),
  )
  expect(run(one, 'select group_concat(a) from t')).toEqual({ tag: 'text', val: '2' })
  run(one, 'begin', 'insert into t values (1)', 'commit')
  expect(run(other, 'select count(*) from t')).toEqual(integer(2n))
})

it('takes a lock over that a crash has left', () => {
  const { path, open } = openFile()
  const database = open()
  writeFileSync(`${path}.lock`, '')
  const before = new Date(Date.now() - 60_000)
  utimesSync(`${path}.lock`, before, before)
  run(database, 'create table t (a)')
  expect(existsSync(`${path}.lock`)).toBe(false)
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
  expect(open).toThrow('file is not a database')
})
