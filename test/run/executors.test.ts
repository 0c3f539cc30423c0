import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import initSqlJs from 'sql.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createAppHandler,
  createMemoryKeyValue,
  createSqlJsDatabase,
  type AppHandlerOptions,
  type LogLine,
} from '../../src/run/index.ts'
import type { FetchHandler } from '../../src/types.ts'
import { bytesOfFile, pulledApp, type FixtureComponent } from './fixtures.ts'
import { expectNoWaiting, itWaits } from './waiting.ts'

const guest = (name: string): Uint8Array => bytesOfFile(`test/guests/${name}.wasm`)
const FILES = new Map([['a/b.txt', new TextEncoder().encode('hello file')]])

interface Running {
  readonly get: (path: string, init?: RequestInit) => Promise<Response>
  readonly text: (path: string, init?: RequestInit) => Promise<string>
  readonly log: LogLine[]
}

async function run(
  component: FixtureComponent,
  options: AppHandlerOptions = {},
  config = {},
  variables = {},
): Promise<Running> {
  const log: LogLine[] = []
  const app = pulledApp({ guest: component }, [{ route: '/...', component: 'guest', ...config }], {
    variables,
  })
  const handler: FetchHandler = await createAppHandler(app, {
    onLog: (line) => log.push(line),
    ...options,
  })
  const get = (path: string, init?: RequestInit): Promise<Response> =>
    handler.fetch(new Request(`http://app.example${path}`, init))
  return { get, log, text: async (path, init) => (await get(path, init)).text() }
}

describe('a wasi:http component', () => {
  const component: FixtureComponent = {
    wasm: guest('proxy'),
    fileTree: FILES,
    env: { MODE: 'test' },
    config: { name: 'Mr {{ who }}', secret: '{{ password }}' },
    metadata: {
      key_value_stores: ['default', 'gone'],
      allowed_outbound_hosts: ['http://127.0.0.1:*', 'http://self'],
    },
  }
  const variables = { who: { default: 'X' }, password: { secret: true } } as const
  let app: Running
  beforeAll(async () => {
    app = await run(
      component,
      { variables: { password: 'hunter2' }, maxMemory: 16 * 1024 * 1024 },
      {},
      variables,
    )
  })

  it('streams a body through', async () => {
    const body = 'x'.repeat(200_000)
    expect(await app.text('/echo', { method: 'POST', body })).toBe(body)
  })

  it('gets the client’s headers, then Spin’s, then nothing', async () => {
    const lines = (
      await app.text('/some/path/?q=1', {
        headers: { 'x-mine': 'a', connection: 'close', 'spin-path-info': 'forged' },
      })
    )
      .trim()
      .split('\n')
    expect(lines).toContain('host: app.example')
    expect(lines).toContain('x-mine: a')
    expect(lines.filter((line) => line.startsWith('connection'))).toEqual([])
    expect(lines.filter((line) => line.startsWith('spin-path-info')).at(-1)).toBe(
      'spin-path-info: /some/path/',
    )
    expect(lines.slice(-6)).toEqual([
      'spin-full-url: http://app.example/some/path/?q=1',
      'spin-matched-route: /...',
      'spin-base-path: /',
      'spin-raw-component-route: /...',
      'spin-component-route: ',
      'spin-client-addr: 0.0.0.0:0',
    ])
  })

  it('reads its files and can write, make or reach nothing', async () => {
    // 33 read-only, 31 not permitted: places in the enum of wasi:filesystem.
    expect((await app.text('/files')).trim().split('\n')).toEqual([
      'mounts 1',
      'read 0',
      'write 33',
      'open-write 33',
      'create 33',
      'truncate 33',
      'mkdir 33',
      'unlink 33',
      'up 31',
      'absolute 31',
      'sly 31',
    ])
  })

  it('has no mount without files', async () => {
    expect(await (await run({ wasm: guest('proxy') })).text('/files')).toBe('mounts 0\n')
  })

  it('sees its environment and only its own', async () => {
    expect(await app.text('/env')).toBe('MODE=test\n')
  })

  it('reads its variables, and no others', async () => {
    expect(await app.text('/var/name')).toBe('Mr X')
    expect(await app.text('/var/secret')).toBe('hunter2')
    expect(await app.text('/var/who')).toBe('error 1\n')
    expect(await app.text('/var/Not-A-Name')).toBe('error 0\n')
  })

  it('never shows a secret in its log', async () => {
    app.log.length = 0
    await app.text('/var/secret')
    await app.text('/trap')
    expect(JSON.stringify(app.log)).not.toContain('hunter2')
  })

  it('keeps values between requests in the stores that it lists', async () => {
    expect(await app.text('/kv/default')).toBe('count 1\n')
    expect(await app.text('/kv/default')).toBe('count 2\n')
    expect(await app.text('/kv/gone')).toBe('error 1\n')
    expect(await app.text('/kv/other')).toBe('error 2\n')
  })

  it('keeps them in a store of the host’s', async () => {
    const store = createMemoryKeyValue()
    const other = await run(
      component,
      { variables: { password: '' }, keyValue: () => store },
      {},
      variables,
    )
    await other.text('/kv/gone')
    expect(store.get('count')).toEqual(Uint8Array.of(1))
  })

  it('prints whole lines, the last one too', async () => {
    app.log.length = 0
    await app.text('/log')
    expect(app.log).toEqual(
      ['one', 'two'].map((text) => ({ component: 'guest', stream: 'stderr', text })),
    )
  })

  it('can put nothing into a response that would be another header', async () => {
    const response = await app.get('/inject')
    expect(await response.text()).toBe('crlf 1\nname 1\nnul 1\nhost 2\nfine 0\n')
    expect(response.headers.get('x-fine')).toBe('a\tb')
    expect(response.headers.get('set-cookie')).toBeNull()
  })

  it('links an interface that nobody supplies, and is refused when it calls it', async () => {
    app.log.length = 0
    expect((await app.get('/sqlite')).status).toBe(500)
    expect(app.log.at(-1)?.text).toMatch(/fermyon:spin\/sqlite@2\.0\.0#\[static\]connection\.open/)
  })

  it('uses an interface that the host supplies', async () => {
    const asked: string[] = []
    const open = (name: string): unknown => {
      asked.push(name)
      return { tag: 'err', val: { tag: 'no-such-database' } }
    }
    const other = await run(
      { wasm: guest('proxy') },
      { interfaces: { 'fermyon:spin/sqlite': { functions: { '[static]connection.open': open } } } },
    )
    expect((await other.get('/sqlite')).status).toBe(200)
    expect(asked).toEqual(['/sqlite'])
  })

  it.each([
    ['/trap', /unreachable/],
    ['/none', /returned without a response/],
    ['/exit', /exited with 1/],
    ['/error', /answered with the error/],
    ['/bomb', /trapped/],
    ['/status/700', /status 700/],
  ])('%s is a 500 without a body, and the log says why', async (path, reason) => {
    app.log.length = 0
    const response = await app.get(path)
    expect(response.status).toBe(500)
    expect(await response.text()).toBe('')
    expect(app.log.filter((line) => line.stream === 'host').map((line) => line.text)).toEqual([
      expect.stringMatching(reason),
    ])
    expect(await app.text('/env')).toBe('MODE=test\n')
  })

  it.each(['/late-trap', '/unfinished'])('%s breaks the body off', async (path) => {
    const response = await app.get(path)
    expect(response.status).toBe(200)
    await expect(response.text()).rejects.toThrow()
  })

  it('answers 204 and HEAD without a body', async () => {
    expect((await app.get('/status/204')).body).toBeNull()
    expect((await app.get('/env', { method: 'HEAD' })).body).toBeNull()
  })

  it('is not started for a client that has left', async () => {
    const signal = AbortSignal.abort(new Error('left'))
    await expect(app.get('/env', { signal })).rejects.toThrow('left')
  })

  it('queues what is too much at once', async () => {
    const narrow = await run({ wasm: guest('proxy'), env: { A: '1' } }, { concurrency: 2 })
    const answers = await Promise.all(Array.from({ length: 30 }, () => narrow.text('/env')))
    expect(new Set(answers)).toEqual(new Set(['A=1\n']))
  })

  describe('asking others', () => {
    let server: Server
    let origin: string
    beforeAll(async () => {
      server = createServer((request, response) => {
        if (request.url === '/redirect')
          response.writeHead(302, { location: 'http://evil.example/' }).end('moved')
        else response.end(`upstream ${request.url}`)
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
      origin = `127.0.0.1:${(server.address() as AddressInfo).port}`
    })
    afterAll(() => new Promise((resolve) => server.close(resolve)))

    itWaits(
      'reaches what its manifest lists',
      async () => {
        expect(await app.text(`/out/${origin}/x?y`)).toBe('200 upstream /x?y')
      },
      () => expectNoWaiting(app, `/out/${origin}/x?y`),
    )

    itWaits(
      'is told of a redirect and not taken along',
      async () => {
        expect(await app.text(`/out/${origin}/redirect`)).toBe('302 moved')
      },
      () => expectNoWaiting(app, `/out/${origin}/redirect`),
    )

    itWaits(
      'reaches nothing else',
      async () => {
        // 15: HTTP-request-denied
        expect(await app.text('/out/evil.example/')).toBe('error 15')
        expect(await app.text('/out/localhost:1/')).toBe('error 15')
      },
      () => expectNoWaiting(app, '/out/evil.example/'),
    )

    itWaits(
      'reaches its own application',
      async () => {
        expect(await app.text('/self/env')).toBe('200 MODE=test\n')
      },
      () => expectNoWaiting(app, '/self/env'),
    )

    itWaits(
      'ends when it asks itself without end',
      async () => {
        expect(await app.text(`/self${'/self'.repeat(20)}/env`)).toMatch(/error \d+$|500/)
      },
      () => expectNoWaiting(app, `/self${'/self'.repeat(20)}/env`),
    )

    itWaits(
      'streams over time',
      async () => {
        const chunks: string[] = []
        const decoder = new TextDecoder()
        for await (const chunk of (await app.get('/slow'))
          .body as unknown as AsyncIterable<Uint8Array>)
          chunks.push(decoder.decode(chunk))
        expect(chunks).toEqual(['tick\n', 'tick\n', 'tick\n'])
      },
      () => expectNoWaiting(app, '/slow'),
    )

    itWaits(
      'is ended when its client leaves',
      async () => {
        const abort = new AbortController()
        const response = await app.get('/slow', { signal: abort.signal })
        abort.abort(new Error('left'))
        await expect(response.text()).rejects.toThrow()
      },
      () => expectNoWaiting(app, '/slow'),
    )

    itWaits(
      'gives its place back when its client leaves, even while it waits',
      async () => {
        const never = await run(
          component,
          { concurrency: 1, variables: { password: '' }, fetch: () => new Promise(() => {}) },
          {},
          variables,
        )
        const abort = new AbortController()
        const asked = never.get(`/out/${origin}/never`, { signal: abort.signal })
        setTimeout(() => abort.abort(new Error('left')), 10)
        await expect(asked).rejects.toThrow('left')
        expect(await never.text('/env')).toBe('MODE=test\n')
      },
      () => expectNoWaiting(app, `/out/${origin}/never`),
    )

    itWaits(
      'is given up after the timeout',
      async () => {
        const patient = await run(
          component,
          { timeout: 30, variables: { password: '' }, fetch: () => new Promise(() => {}) },
          {},
          variables,
        )
        expect((await patient.get(`/out/${origin}/never`)).status).toBe(500)
        expect(patient.log.at(-1)?.text).toMatch(/no response within 30 ms/)
      },
      () => expectNoWaiting(app, `/out/${origin}/never`),
    )

    it('is refused where it can’t wait, and the log names engines that let it', async () => {
      await expectNoWaiting(
        await run(component, { jspi: false, variables: { password: '' } }, {}, variables),
        `/out/${origin}/x`,
      )
    })
  })
})

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
    const { Database } = await initSqlJs()
    const database = createSqlJsDatabase(new Database())
    const app = await run(
      { wasm: guest('legacy'), metadata: { databases: ['default', 'gone'] } },
      { sqlite: (label) => (label === 'default' ? database : undefined) },
    )
    // 2: invalid-connection, as it was closed.
    expect(await app.text('/sqlite/default')).toBe(
      `i,r,t,b,n,5000|real 150|x'y|blob|null|error 4 near "selct": syntax errorerror 2 `,
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

describe.each([
  ['core module', 'wagi'],
  ['component', 'command'],
])('a WAGI program as %s', (_, name) => {
  const start = (config = {}): Promise<Running> =>
    run(
      { wasm: guest(name), fileTree: FILES, env: { MINE: 'yes' } },
      {},
      { executor: { type: 'wagi', ...config } },
    )

  it('answers over CGI', async () => {
    const app = await start()
    const response = await app.get('/p%20q?a=1&b=2', {
      method: 'POST',
      body: 'BODY',
      headers: { 'x-y-z': '1', authorization: 'secret' },
    })
    expect(response.headers.get('content-type')).toBe('text/plain')
    const lines = (await response.text()).split('\n')
    expect(lines[0]).toBe('[/p%20q][a=1][b=2]')
    for (const line of [
      'REQUEST_METHOD=POST',
      'QUERY_STRING=a=1&b=2',
      'CONTENT_LENGTH=4',
      'PATH_INFO=/p q',
      'X_RAW_PATH_INFO=/p%20q',
      'X_MATCHED_ROUTE=/...',
      'X_BASE_PATH=/',
      'X_FULL_URL=http://app.example/p%20q?a=1&b=2',
      'SERVER_NAME=app.example',
      'SERVER_PORT=80',
      'SERVER_SOFTWARE=WAGI/1',
      'GATEWAY_INTERFACE=CGI/1.1',
      'HTTP_X_Y_Z=1',
      'MINE=yes',
      'body=BODY',
    ])
      expect(lines).toContain(line)
    expect(lines.filter((line) => line.includes('secret'))).toEqual([])
  })

  it('gets arguments by the template', async () => {
    expect((await (await start({ argv: 'prog ${ARGS} end' })).text('/?$1&x')).split('\n')[0]).toBe(
      '[prog][$1][x][end]',
    )
  })

  it('is a 500 when it fails', async () => {
    const app = await start()
    expect((await app.get(name === 'wagi' ? '/?exit' : '/?fail')).status).toBe(500)
    expect(app.log.at(-1)?.text).toMatch(/exited with/)
  })
})

describe('what a WAGI program prints', () => {
  const start = (): Promise<Running> =>
    run({ wasm: guest('wagi'), fileTree: FILES }, {}, { executor: { type: 'wagi' } })

  it('may be a status or a place to go', async () => {
    const app = await start()
    const teapot = await app.get('/?status')
    expect([teapot.status, await teapot.text()]).toEqual([418, 'short\n'])
    const moved = await app.get('/?moved')
    expect([moved.status, moved.headers.get('location')]).toEqual([302, '/there'])
  })

  it.each(['empty', 'bare', 'inject'])('%s is no response', async (query) => {
    const app = await start()
    const response = await app.get(`/?${query}`)
    expect([response.status, await response.text()]).toEqual([500, ''])
  })

  it('can read its files and change nothing', async () => {
    expect((await (await start()).text('/?files')).split('\n').slice(1)).toEqual([
      'stat 0 size 10',
      'read ello file',
      'entry b.txt',
      ...['create', 'write', 'mkdir', 'unlink', 'rename'].map(
        (what) => `${what} -1 Read-only file system`,
      ),
      'up -1',
      'missing -1',
      '',
    ])
  })

  itWaits(
    'may sleep',
    async () => {
      expect(await (await start()).text('/?sleep')).toContain('slept 0')
    },
    async () => expectNoWaiting(await start(), '/?sleep'),
  )
})
