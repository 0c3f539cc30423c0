import initSqlJs from 'sql.js'
import { describe, expect, it } from 'vitest'
import {
  createAppHandler,
  createSqlJsDatabase,
  type HostInterface,
  type LogLine,
  type SqliteDatabase,
  type SqliteResult,
  type SqliteValue,
} from '../../src/run/index.ts'
import { createSqliteHosts } from '../../src/run/spin/sqlite.ts'
import { bytesOfFile, pulledApp } from './fixtures.ts'

const { Database } = await initSqlJs()
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
  const database = createSqlJsDatabase(new Database())
  const options = {
    sqlite: (label: string) => (label === 'default' ? database : undefined),
  }
  const ask = async (path: string): Promise<string> => {
    const handler = await createAppHandler(app, options)
    return (await handler.fetch(new Request(`http://app.example${path}`))).text()
  }

  it('gets back what it put in, and keeps it between requests', async () => {
    const rest = '5000|real 150|x’y|blob|null|'.replace('’', "'")
    const error = 'error 4 near "selct": syntax error\n'
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

describe('a database of sql.js', () => {
  const database = createSqlJsDatabase(new Database())
  const first = (statement: string, ...parameters: SqliteValue[]): unknown =>
    (database.execute(statement, parameters) as SqliteResult).rows[0]

  it('knows integers from reals, and large ones exactly', () => {
    expect(
      first('select 9007199254740993, 1.0, ?, ?', integer(7n), { tag: 'real', val: 1 }),
    ).toEqual([
      integer(9007199254740993n),
      { tag: 'real', val: 1 },
      integer(7n),
      // sql.js binds a number without a fraction as an integer.
      integer(1n),
    ])
    first('create table n (i integer)')
    first('insert into n values (?)', integer(1_700_000_000_000n))
    expect(first('select i from n')).toEqual([integer(1_700_000_000_000n)])
  })

  it('refuses an integer that would become another', () => {
    expect(() => first('select ?', integer(2n ** 53n + 1n))).toThrow(
      expect.objectContaining({ code: 'ERR_UNSUPPORTED' }),
    )
  })

  it('gives no more rows than can be held', () => {
    const endless =
      'with recursive c(x) as (select 1 union all select x + 1 from c) select x from c'
    expect(() => first(endless)).toThrow(expect.objectContaining({ code: 'ERR_LIMIT_EXCEEDED' }))
  })
})

describe.each([
  ['at once', (database: SqliteDatabase) => database],
  [
    'later',
    ({ execute }: SqliteDatabase): SqliteDatabase => ({
      execute: async (statement, parameters) => execute(statement, parameters),
    }),
  ],
])('a database that answers %s', (_, shape) => {
  const all = createSqliteHosts(['default'], () => shape(createSqlJsDatabase(new Database())))
  const call = (name: string, method: string, ...args: unknown[]): unknown =>
    (all[name] as HostInterface).functions[method]?.(...(args as never[]))

  it.each(['3.0.0', '3.1.0'])('counts for components of version %s', async (version) => {
    const name = `spin:sqlite/sqlite@${version}`
    const { val: database } = call(name, '[static]connection.open', 'default') as { val: unknown }
    await call(name, '[method]connection.execute', database, 'create table t (a)', [])
    await call(name, '[method]connection.execute', database, 'insert into t values (1), (2)', [])
    expect(await call(name, '[method]connection.changes', database)).toBe(2n)
    expect(await call(name, '[method]connection.last-insert-rowid', database)).toBe(2n)
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
})
