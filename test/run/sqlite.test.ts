import { describe, expect, it } from 'vitest'
import {
  createAppHandler,
  createSqliteWasm,
  type HostInterface,
  type LogLine,
  type SqliteDatabase,
  type SqliteResult,
  type SqliteValue,
} from '../../src/run/index.ts'
import { readItems } from '../../src/run/component/async/host-transfer.ts'
import type { Readable } from '../../src/run/component/abi/transfer.ts'
import { createSqliteHosts } from '../../src/run/host/spin/sqlite.ts'
import { bytesOfFile, pulledApp } from './fixtures.ts'
import { sqlite } from './sqlite-engine.ts'

const integer = (val: bigint): SqliteValue => ({ tag: 'integer', val })

describe('a component that asks its database', () => {
  const app = pulledApp(
    {
      guest: {
        wasm: bytesOfFile('test/guests/sqlite.wasm'),
        metadata: { databases: ['default', 'gone'] },
      },
    },
    [{ route: '/...', component: 'guest' }],
  )
  const connect = createSqliteWasm(sqlite)
  const options = {
    sqlite: (label: string) => (label === 'default' ? connect() : undefined),
  }
  const ask = async (path: string): Promise<string> => {
    const handler = await createAppHandler(app, options)
    return (await handler.fetch(new Request(`http://app.example${path}`))).text()
  }

  it('gets back what it put in, and keeps it between requests', async () => {
    const rest = '5000|real 150|x’y|blob|null|'.replace('’', "'")
    const error = 'error 4 near "selct": syntax error in selct at offset 0\n'
    expect(await ask('/default')).toBe(`\n\nc,i,r,t,b,n,1|${rest}\n${error}`)
    expect(await ask('/default')).toContain(`c,i,r,t,b,n,2|${rest}\n`)
  })

  it('opens what its manifest lists and its host has', async () => {
    expect(await ask('/gone')).toBe('open error 0')
    expect(await ask('/other')).toBe('open error 1')
  })

  it('is refused by name where its host has none at all', async () => {
    const log: LogLine[] = []
    const handler = await createAppHandler(app, { onLog: (line) => log.push(line) })
    expect((await handler.fetch(new Request('http://app.example/default'))).status).toBe(500)
    expect(log.at(-1)?.text).toContain('fermyon:spin/sqlite@2.0.0#[static]connection.open')
  })
})

const text = (val: string): SqliteValue => ({ tag: 'text', val })
const real = (val: number): SqliteValue => ({ tag: 'real', val })
const blob = (...val: number[]): SqliteValue => ({ tag: 'blob', val: Uint8Array.from(val) })
const NULL: SqliteValue = { tag: 'null' }
const run = (
  database: SqliteDatabase,
  statement: string,
  ...parameters: SqliteValue[]
): SqliteResult => database.execute(statement, parameters) as SqliteResult

describe.each(['/sync', '/async'])('a component of SQLite 3.1, by %s', (path) => {
  const ask = async (statement: string, label = 'default'): Promise<string> => {
    const app = pulledApp(
      {
        guest: { wasm: bytesOfFile('test/guests/sql.wasm'), metadata: { databases: ['default'] } },
      },
      [{ route: '/...', component: 'guest' }],
    )
    const connect = createSqliteWasm(sqlite)
    const handler = await createAppHandler(app, {
      sqlite: (wanted) => (wanted === label ? connect() : undefined),
    })
    const body = { method: 'POST', body: statement }
    return (await handler.fetch(new Request(`http://app.example${path}`, body))).text()
  }

  it('gets every kind of value', async () => {
    const answer = await ask(
      "select -9223372036854775808 as a, 9223372036854775807, 1.0, 'x', null",
    )
    expect(answer).toContain('-9223372036854775808|9223372036854775807|real|x|null|')
  })

  it('is told what goes wrong', async () => {
    expect(await ask('selct')).toContain('error 4 near "selct": syntax error')
    expect(await ask('select 1', 'other')).toBe('error 0 ')
  })

  it('reads more rows than it is given at a time', async () => {
    const answer = await ask(
      'with recursive c(x) as (select 1 union all select x + 1 from c limit 2000) select x from c',
    )
    expect(answer).toMatch(/^x,1\|2\|3\|.*\|1999\|2000\|/)
  })
})

describe('a connection to SQLite', () => {
  const database = createSqliteWasm(sqlite)()
  const first = (statement: string, ...parameters: SqliteValue[]): unknown =>
    run(database, statement, ...parameters).rows[0]

  it.each([
    ['null', NULL, 'null'],
    ['the least integer', integer(-(2n ** 63n)), 'integer'],
    ['the greatest integer', integer(2n ** 63n - 1n), 'integer'],
    ['an integer beyond doubles', integer(2n ** 53n + 1n), 'integer'],
    ['a real without a fraction', real(1), 'real'],
    ['minus zero', real(-0), 'real'],
    ['infinity', real(-Infinity), 'real'],
    ['no text', text(''), 'text'],
    ['text with zeros', text('\0ä\0😀\0'), 'text'],
    ['no bytes', blob(), 'blob'],
    ['bytes', blob(0, 255, 0), 'blob'],
  ])('takes and gives %s', (_, value, type) => {
    expect(first('select ?, typeof(?)', value, value)).toEqual([value, text(type)])
    run(database, 'create temp table one (a)')
    run(database, 'insert into one values (?)', value)
    expect(first('select a from one')).toEqual([value])
    run(database, 'drop table one')
  })

  it('takes what is not a number for null, as SQLite does', () => {
    expect(first('select ?', real(NaN))).toEqual([NULL])
  })

  it.each([
    ["select cast(x'ff' as text)", 'not UTF-8'],
    ['select ?', 'Wrong number of parameters passed to query. Got 0, needed 1'],
    ['selct', 'near "selct": syntax error in selct at offset 0'],
    ['', 'there is no statement'],
    ['select 1 from missing', 'no such table: missing'],
  ])('says what is wrong with %j', (statement, message) => {
    expect(() => first(statement)).toThrow(message)
  })

  it('names the columns of an answer without rows, and runs the first statement of several', () => {
    expect(run(database, 'select 1 as a, 2 as b where false; select 3')).toEqual({
      columns: ['a', 'b'],
      rows: [],
    })
  })

  it('has the defaults that Spin builds SQLite with', () => {
    expect(first('pragma foreign_keys')).toEqual([integer(1n)])
    expect(first('select "text"')).toEqual([text('text')])
  })

  it('is one of several with transactions of their own', () => {
    const connect = createSqliteWasm(sqlite)
    const [one, other] = [connect(), connect()]
    run(one, 'create table t (a)')
    run(one, 'begin')
    run(one, 'insert into t values (1)')
    expect(() => run(other, 'insert into t values (2)')).toThrow('database is locked')
    one.close?.()
    expect(run(other, 'select count(*) from t').rows).toEqual([[integer(0n)]])
    expect(() => run(one, 'select 1')).toThrow('the connection is closed')
  })

  it('ends its statements when it is closed', () => {
    const connect = createSqliteWasm(sqlite)
    const [one, other] = [connect(), connect()]
    run(one, 'create table t (a)')
    run(one, 'insert into t values (1), (2)')
    const cursor = one.query?.('select a from t', [])
    expect(cursor?.next()).toEqual([integer(1n)])
    one.close?.()
    expect(cursor?.next()).toBeUndefined()
    expect(run(other, 'drop table t')).toEqual({ columns: [], rows: [] })
  })
})

const LIMITS = { assertInTime() {}, charge() {}, release() {}, free: 1e9 }

describe.each([
  ['at once', (database: SqliteDatabase) => database],
  ['whole', ({ execute }: SqliteDatabase): SqliteDatabase => ({ execute })],
  [
    'later',
    ({ execute }: SqliteDatabase): SqliteDatabase => ({
      execute: async (statement, parameters) => execute(statement, parameters),
    }),
  ],
])('a database that answers %s', (_, shape) => {
  const ends: Array<() => void> = []
  const all = createSqliteHosts(['default'], () => shape(createSqliteWasm(sqlite)()), {
    limits: LIMITS,
    atEnd: (work) => void ends.push(work),
  })
  const call = (name: string, method: string, ...args: unknown[]): unknown =>
    (all[name] as HostInterface).functions[method]?.(...(args as never[]))

  it.each([
    ['3.0.0', ''],
    ['3.1.0', ''],
    ['3.1.0', '-async'],
  ])('counts for components of version %s%s', async (version, suffix) => {
    const name = `spin:sqlite/sqlite@${version}`
    const { val: database } = call(name, `[static]connection.open${suffix}`, 'default') as {
      val: unknown
    }
    await call(name, '[method]connection.execute', database, 'create table t (a)', [])
    await call(name, '[method]connection.execute', database, 'insert into t values (1), (2)', [])
    expect(await call(name, `[method]connection.changes${suffix}`, database)).toBe(2n)
    expect(await call(name, `[method]connection.last-insert-rowid${suffix}`, database)).toBe(2n)
  })

  it('streams rows, and says at their end how they ended', async () => {
    const name = 'spin:sqlite/sqlite@3.1.0'
    const { val: database } = call(name, '[static]connection.open-async', 'default') as {
      val: unknown
    }
    const ask = async (statement: string): Promise<unknown[]> => {
      const { val } = (await call(
        name,
        '[method]connection.execute-async',
        database,
        statement,
        [],
      )) as { val: readonly [string[], Readable, Readable] }
      const rows: unknown[] = []
      for (;;) {
        const part = await readItems(val[1], 100)
        if (part === undefined) break
        rows.push(...Array.from(part as ArrayLike<{ values: SqliteValue[] }>, (row) => row.values))
      }
      return [val[0], rows, (await readItems(val[2], 1))?.[0]]
    }
    const counting =
      'with recursive c(x) as (select 1 union all select x + 1 from c limit 3000) select x from c'
    const [columns, rows, outcome] = await ask(counting)
    expect([columns, (rows as unknown[]).length, outcome]).toEqual([['x'], 3000, { tag: 'ok' }])
    expect(await ask('selct')).toEqual([
      [],
      [],
      { tag: 'err', val: { tag: 'io', val: expect.stringContaining('syntax error') } },
    ])
    // Everything is done when a statement has begun, whoever reads its rows.
    await ask('create table t (a)')
    await call(
      name,
      '[method]connection.execute-async',
      database,
      'insert into t values (1) returning a',
      [],
    )
    expect((await ask('select count(*) from t'))[1]).toEqual([[integer(1n)]])
  })

  it('has numbers for older components', async () => {
    const name = 'fermyon:spin/sqlite'
    const { val: id } = call(name, 'open', 'default') as { val: unknown }
    expect(await call(name, 'execute', id, 'select 1 as a', [])).toEqual({
      tag: 'ok',
      val: { columns: ['a'], rows: [{ values: [integer(1n)] }] },
    })
    call(name, 'close', id)
    expect(call(name, 'execute', id, 'select 1', [])).toEqual({
      tag: 'err',
      val: { tag: 'invalid-connection' },
    })
  })

  it('has room for 256 connections', () => {
    const name = 'spin:sqlite/sqlite@3.0.0'
    const open = (): unknown => call(name, '[static]connection.open', 'default')
    const [first] = Array.from({ length: 256 }, open) as Array<{ val: unknown }>
    const full = { tag: 'err', val: { tag: 'io', val: 'too many connections opened' } }
    expect(open()).toEqual(full)
    call(name, '[resource-drop]connection', first?.val)
    expect(open()).toMatchObject({ tag: 'ok' })
    for (const end of ends) end()
    expect(open()).toMatchObject({ tag: 'ok' })
  })
})
