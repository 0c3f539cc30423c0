// A guest's SQL may take all memory, never end, or reach for files. SQLite runs on the host's side,
// where neither the guest's own memory limit nor the end of its calls counts.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createFileSqlite } from '../../src/node/index.ts'
import {
  type AppHandlerOptions,
  createAppHandler,
  createSqliteWasm,
  type LogLine,
} from '../../src/run/index.ts'
import { pulledApp } from '../run/fixtures.ts'
import { guest } from '../run/guests.ts'
import { sqlite } from '../run/sqlite-engine.ts'

const MIB = 1024 * 1024
const ENDLESS = 'with recursive c(x) as (select 1 union all select x + 1 from c)'

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'spindle-sql-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

/** Asks the guest that runs its request's body as a statement. */
async function start(options: AppHandlerOptions = {}) {
  const log: string[] = []
  const connect = createSqliteWasm(sqlite)
  const handler = await createAppHandler(
    pulledApp({ guest: { wasm: guest('sql'), metadata: { databases: ['default'] } } }, [
      { route: '/...', component: 'guest' },
    ]),
    {
      sqlite: connect,
      maxMemory: 8 * MIB,
      onLog: ({ stream, text }: LogLine) => void (stream === 'host' && log.push(text)),
      ...options,
    },
  )
  const ask = async (statement: string, path = '/sync'): Promise<string> => {
    const response = await handler.fetch(
      new Request(`http://app.example${path}`, { method: 'POST', body: statement }),
    )
    return `${response.status} ${await response.text()}`
  }
  return { ask, log, connect }
}

const WAYS = ['/sync', '/async'] as const

describe.each(WAYS)('a statement by %s', (path) => {
  it.each([
    ['a value', 'select randomblob(1000000000)', /^200 .*string or blob too big/],
    ['zeros', 'select zeroblob(1000000000)', /^200 .*string or blob too big/],
    [
      'text that doubles',
      `select replace(hex(zeroblob(1000000)), '00', hex(zeroblob(1000)))`,
      /too big/,
    ],
    ['sorting', `${ENDLESS} select randomblob(1000) r from c order by r`, /^500 /],
    [
      'distinct rows',
      `${ENDLESS} select count(*) from (select distinct randomblob(1000) from c)`,
      /^500 /,
    ],
    ['a group', `${ENDLESS} select group_concat(x) from c`, /^(?:500 |200 .*too big)/],
  ])('takes no more than the request may by %s', async (_, statement, answer) => {
    const { ask, log } = await start()
    expect(await ask(statement, path)).toMatch(answer)
    for (const line of log) expect(line).toContain('raise it by the option "maxMemory"')
    // Nothing of it is left.
    expect(await ask('select 1 as one', path)).toContain('one,1|')
  })

  it('ends with the time of its request', async () => {
    const { ask, log } = await start({ timeout: 3000 })
    let now = performance.now()
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 10))
    onTestFinished(() => clock.mockRestore())
    expect(await ask(`${ENDLESS} select count(*) from c`, path)).toBe('500 ')
    expect(log).toEqual([`POST ${path} failed: no response within 3000 ms (ERR_TIMEOUT)`])
  })

  it.each([
    "attach 'other.db' as other",
    "attach 'other' || '.db' as other",
    "attach 'file:other.db?mode=memory' as other",
    "vacuum into 'other.db'",
    'pragma hard_heap_limit = 1',
    'pragma soft_heap_limit = 1',
    "pragma journal_mode = 'Wal'",
  ])('may not %s', async (statement) => {
    const folder = createFolder()
    const { ask } = await start({ sqlite: createFileSqlite(join(folder, 'data.db'), sqlite) })
    expect(await ask(statement, path)).toMatch(/auth/)
    expect(readdirSync(folder).filter((name) => name !== 'data.db')).toEqual([])
    expect(existsSync('other.db')).toBe(false)
  })

  it.each([
    "select load_extension('x')",
    "select writefile('x', 'y')",
    "select readfile('/etc/passwd')",
    "select fts3_tokenizer('simple')",
  ])('has no function for %s', async (statement) => {
    const { ask } = await start()
    expect(await ask(statement, path)).toMatch(/no such function/)
  })

  it('has a database in memory beside its own, as in Spin', async () => {
    const { ask } = await start()
    expect(await ask("attach ':memory:' as other", path)).not.toMatch(/error/)
  })

  it('does not wait in its host for a lock', async () => {
    const { ask, connect } = await start()
    const other = connect()
    void other.execute('create table t (a)', [])
    void other.execute('begin exclusive', [])
    await ask('pragma busy_timeout = 2000000000', path)
    expect(await ask('insert into t values (1)', path)).toContain('database is locked')
    other.close?.()
  })
})

describe('what a guest leaves open', () => {
  it('ends with its request, transactions with their locks', async () => {
    const { ask, connect } = await start()
    await ask('create table t (a)')
    await ask('begin immediate')
    expect(await ask('insert into t values (1)', '/async')).toContain('changes 1 last 1')
    expect(connect().execute('select count(*) from t', [])).toMatchObject({
      rows: [[{ tag: 'integer', val: 1n }]],
    })
  })

  it('keeps an in-memory database within the limit of its engine', async () => {
    const { ask } = await start({
      sqlite: createSqliteWasm(sqlite, { maxMemory: 64 * MIB }),
      maxMemory: 32 * MIB,
    })
    await ask('create table t (a)')
    const answers = []
    for (let i = 0; i < 8; i++) answers.push(await ask('insert into t values (zeroblob(12000000))'))
    expect(answers.at(-1)).toMatch(/out of memory|full/)
  })
})
