import { describe, expect, it } from 'vitest'
import { createSqliteWasm, type AppHandlerOptions } from '../../src/run/index.ts'
import type { FixtureComponent } from './fixtures.ts'
import { FILES, guest, run, type Running } from './guests.ts'
import { sqlite } from './sqlite-engine.ts'
import { expectNoWaiting, itWaits } from './waiting.ts'

describe('a component of a draft of wasi:http', () => {
  it('of October 2023 answers', async () => {
    const app = await run({ wasm: guest('draft') })
    const response = await app.get('/x?y')
    expect([response.status, response.headers.get('x-draft'), await response.text()]).toEqual([
      202,
      '2023-10-18',
      'drafted /x?y',
    ])
    expect((await app.get('/error')).status).toBe(500)
    expect(app.log.at(-1)?.text).toMatch(/internal-error/)
  })

  it('of November 2023 answers and reads its files', async () => {
    const app = await run({ wasm: guest('proxy-draft'), fileTree: FILES, env: { A: 'b' } })
    expect(await app.text('/env')).toBe('A=b\n')
    expect(await app.text('/files')).toMatch(/^mounts 1\nread 0\nwrite 33/)
    expect(await app.text('/echo', { method: 'POST', body: 'back' })).toBe('back')
  })
})

describe('a fermyon:spin/inbound-http component', () => {
  it('answers whole requests', async () => {
    const app = await run({ wasm: guest('inbound') })
    const response = await app.get('/p?q', { method: 'POST', body: 'B' })
    expect([response.status, response.headers.get('x-headers'), await response.text()]).toEqual([
      201,
      'many',
      'method 1 uri /p?q body B',
    ])
  })

  it('is not asked for methods that it doesn’t know', async () => {
    expect(
      (await (await run({ wasm: guest('inbound') })).get('/', { method: 'PROPFIND' })).status,
    ).toBe(405)
  })
})

describe('a core module of Spin 0.x and 1.x', () => {
  const component: FixtureComponent = {
    wasm: guest('legacy'),
    config: { greeting: 'hi {{ who }}' },
    metadata: { key_value_stores: ['default'], allowed_http_hosts: ['http://up.example'] },
  }
  const start = (options: AppHandlerOptions = {}): Promise<Running> =>
    run(component, options, {}, { who: { default: 'you' } })

  it('answers requests and prints to the log', async () => {
    const app = await start()
    const response = await app.get('/x', { method: 'PUT', body: 'B' })
    expect([response.status, response.headers.get('x-legacy'), await response.text()]).toEqual([
      200,
      'yes',
      '2 /x B',
    ])
    expect(app.log).toEqual([{ component: 'guest', stream: 'stdout', text: 'asked' }])
    expect((await app.get('/', { method: 'TRACE_' })).status).toBe(405)
  })

  it('reads its configuration', async () => {
    expect(await (await start()).text('/config')).toBe('hi you error 0')
  })

  it('keeps values', async () => {
    const app = await start()
    expect(await app.text('/kv')).toBe('before 4 after default keys 1')
    expect(await app.text('/kv')).toBe('before 99 after default keys 1')
  })

  itWaits(
    'asks others as its manifest lets it',
    async () => {
      const app = await start({ fetch: async (request) => new Response(`got ${request.url}`) })
      expect(await app.text('/out/http://up.example/a')).toBe('200 got http://up.example/a')
      expect(await app.text('/out/http://other.example/a')).toBe('error 1')
    },
    async () => expectNoWaiting(await start(), '/out/http://up.example/a'),
  )

  it('asks the databases that it may, and is told what goes wrong', async () => {
    const connect = createSqliteWasm(sqlite)
    const app = await run(
      { wasm: guest('legacy'), metadata: { databases: ['default', 'gone'] } },
      { sqlite: (label) => (label === 'default' ? connect() : undefined) },
    )
    // 2: invalid-connection, as it was closed.
    expect(await app.text('/sqlite/default')).toBe(
      `i,r,t,b,n,5000|real 150|x'y|blob|null|error 4 near "selct": syntax error in selct at offset 0error 2 `,
    )
    expect(await app.text('/sqlite/gone')).toBe('open error 0')
    expect(await app.text('/sqlite/other')).toBe('open error 1')
  })

  itWaits(
    'waits for a database that answers later',
    async () => {
      const app = await run(
        { wasm: guest('legacy'), metadata: { databases: ['default'] } },
        {
          sqlite: () => ({ execute: async () => ({ columns: ['x'], rows: [[{ tag: 'null' }]] }) }),
        },
      )
      expect(await app.text('/sqlite/default')).toBe('x,null|x,null|error 2 ')
    },
    async () =>
      expectNoWaiting(
        await run(
          { wasm: guest('legacy'), metadata: { databases: ['default'] } },
          { sqlite: () => ({ execute: async () => ({ columns: [], rows: [] }) }) },
        ),
        '/sqlite/default',
      ),
  )

  it.each([
    ['/redis', /"outbound-redis"\."get"/],
    ['/sqlite/default', /"sqlite"\."open"/],
  ])('is refused what nobody supplies when it calls it (%s)', async (path, name) => {
    const app = await start()
    expect((await app.get(path)).status).toBe(500)
    expect(app.log.at(-1)?.text).toMatch(name)
  })
})
