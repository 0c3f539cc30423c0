import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createFileKeyValue, createFileSqlite } from '../../src/node/index.ts'
import { readRuntimeConfig } from '../../src/cli/up/runtime-config.ts'
import { bytesOfFile } from '../run/fixtures.ts'
import { sqlite } from '../run/sqlite-engine.ts'
import { COUNTERS } from './counters.ts'
import { start, textOf } from './running.ts'
import { createSession, type Session } from './session.ts'

function writeCounters(session: Session): string {
  for (const [name, content] of COUNTERS) session.write(`app/${name}`, content)
  return session.path('app')
}

/** An application whose component gives the value of its variable `name`. */
function writeVariable(session: Session): string {
  session.write('app/hello.wasm', bytesOfFile('examples/hello/hello.wasm'))
  session.write(
    'app/spin.toml',
    `spin_manifest_version = 2
[application]
name = "hello"
version = "1.0.0"
[variables]
my_word = { default = "Default" }
[[trigger.http]]
route = "/hello/:name"
component = "hello"
[component.hello]
source = "hello.wasm"
variables = { greeting = "{{ my_word }}" }
`,
  )
  return session.path('app')
}

async function greeting(session: Session, ...args: string[]): Promise<string> {
  const up = await start(session, 'up', '-f', session.path('app'), ...args)
  const text = await textOf(`${up.url}/hello/Ann`)
  await up.stop()
  return /(\w+), Ann/.exec(text)?.[1] ?? text
}

describe('a runtime configuration', () => {
  it('gives variables, after flags and before the environment, the first provider first', async () => {
    const session = createSession()
    writeVariable(session)
    session.write('values.env', 'APP_MY_WORD=Dotenv\n')
    session.write(
      'rc.toml',
      `[[variables_provider]]
type = "env"
prefix = "APP"
dotenv_path = "values.env"
[[variables_provider]]
type = "static"
values = { my_word = "Static" }
`,
    )
    const config = ['--runtime-config-file', 'rc.toml']
    expect(await greeting(session)).toBe('Default')
    session.env['SPIN_VARIABLE_MY_WORD'] = 'Environment'
    expect(await greeting(session)).toBe('Environment')
    expect(await greeting(session, ...config)).toBe('Dotenv')
    session.env['APP_MY_WORD'] = 'Prefixed'
    expect(await greeting(session, ...config)).toBe('Prefixed')
    expect(await greeting(session, ...config, '--variable', 'my_word=Flag')).toBe('Flag')
    session.write(
      'other.toml',
      '[[config_provider]]\ntype = "static"\nvalues = { my_word = "Static" }\n',
    )
    session.env['RUNTIME_CONFIG_FILE'] = 'other.toml'
    expect(await greeting(session)).toBe('Static')
  })

  it('names files of stores beside it, and of databases below the working directory, as Spin', async () => {
    const session = createSession()
    const app = writeCounters(session)
    session.write(
      'conf/rc.toml',
      `state_dir = "state"
log_dir = "logs"
[key_value_store.default]
type = "spin"
path = "keys.db"
[sqlite_database.default]
type = "spin"
path = "rows.db"
allow_attach_file = false
`,
    )
    const up = await start(session, 'up', '-f', app, '--runtime-config-file', 'conf/rc.toml')
    await textOf(`${up.url}/kv/default`)
    await textOf(`${up.url}/default`)
    const { stderr } = await up.stop()
    expect(up.lines()).toContain('Storing default key-value data to "conf/keys.db".')
    expect(up.lines()).toContain('Storing default SQLite data to "rows.db".')
    expect(stderr).toContain(
      'Using runtime config [key_value_store.default: spin], [sqlite_database.default: spin] from "conf/rc.toml"',
    )
    expect(
      ['conf/keys.db', 'rows.db', 'logs', 'app/.spin'].map((name) =>
        existsSync(session.path(name)),
      ),
    ).toEqual([true, true, true, false])
  })

  it('has more labels than the default one, in files and in memory', async () => {
    const session = createSession()
    const app = writeCounters(session)
    const manifest = readFileSync(session.path('app/spin.toml'), 'utf8')
    session.write('app/spin.toml', manifest.replace('["default"]', '["default", "cache", "more"]'))
    session.write(
      'rc.toml',
      '[key_value_store.cache]\ntype = "spin"\npath = "cache.db"\n[key_value_store.more]\ntype = "spin"\n',
    )
    const counts = async (): Promise<string[]> => {
      const up = await start(session, 'up', '-f', app, '--runtime-config-file', 'rc.toml')
      const texts = []
      for (const label of ['cache', 'more'])
        texts.push((await textOf(`${up.url}/kv/${label}`)).trim())
      await up.stop()
      return texts
    }
    expect(await counts()).toEqual(['count 1', 'count 1'])
    expect(await counts()).toEqual(['count 2', 'count 1'])
    const store = createFileKeyValue(session.path('cache.db'), sqlite, { store: 'cache' })
    expect([...(store.keys() as Iterable<string>)]).toHaveLength(1)
  })

  it.each([
    ['baz = 1', 'unused runtime config key(s): baz'],
    [
      '[[variables_provider]]\ntype = "env"\n[[config_provider]]\ntype = "env"',
      'unused runtime config key(s): config_provider',
    ],
    ['state_dir = 1', 'state_dir must be a string'],
    ['max_instance_memory = "1"', 'max_instance_memory must be a number of bytes'],
    ['key_value_store = 1', 'key_value_store must be a table'],
    ['[key_value_store.a]\npath = "x"', 'key_value_store.a.type is missing: write type = "spin"'],
    ['[key_value_store.a]\ntype = "file"', 'key_value_store.a.type is "file"'],
    ['[key_value_store.a]\ntype = "spin"\npth = "x"', 'key(s): key_value_store.a.pth'],
    [
      '[key_value_store.a]\ntype = "redis"\nurl = "redis://x"',
      'key_value_store.a: type "redis" is not supported',
    ],
    ['[key_value_store.a]\ntype = "azure_cosmos"', 'write type = "spin"'],
    ['[key_value_store.a]\ntype = "aws_dynamo"', 'type "aws_dynamo" is not supported'],
    ['[sqlite_database.a]\ntype = "libsql"\nurl = "https://x"', 'write type = "spin"'],
    ['[sqlite_database.a]\ntype = "spin"\nallow_attach_file = true', 'ATTACH is not supported'],
    [
      '[sqlite_database.a]\ntype = "spin"\nallow_attach_file = 1',
      'allow_attach_file must be true or false',
    ],
    ['[variables_provider]\ntype = "env"', 'variables_provider must be an array of tables'],
    ['[[variables_provider]]', 'variables_provider[0].type must be "static" or "env"'],
    ['[[variables_provider]]\ntype = "vault"\nurl = "x"', 'type "vault" is not supported'],
    ['[[variables_provider]]\ntype = "azure_key_vault"', 'give values with --variable'],
    ['[[variables_provider]]\ntype = "static"', 'variables_provider[0].values is missing'],
    ['[[variables_provider]]\ntype = "static"\nvalues = { a = 1 }', 'values.a must be a string'],
    ['[[variables_provider]]\ntype = "env"\nprefx = "x"', 'key(s): variables_provider[0].prefx'],
    ['[llm_compute]\ntype = "spin"', '[llm_compute]: language models are not supported'],
    [
      '[outbound_networking]\nblock_networks = ["private", "10.0.0/8"]',
      'outbound_networking.block_networks: "10.0.0/8" is no network to block',
    ],
    [
      '[outbound_networking]\nblock_networks = "private"',
      'outbound_networking.block_networks must be an array of strings',
    ],
    [
      '[outbound_networking]\nmax_socket_connections = -1',
      'outbound_networking.max_socket_connections must be a number of connections',
    ],
    ['[outbound_networking]\nblock = []', 'key(s): outbound_networking.block'],
    ['[outbound_http]\nmax_connections = 1.5', 'outbound_http.max_connections must be'],
    ['[outbound_http]\nconnection_pooling = 1', 'connection_pooling must be true or false'],
    [
      '[outbound_http]\nmax_connections = 1\nmax_concurrent_requests = 1',
      'outbound_http.max_concurrent_requests is the older name of max_connections',
    ],
    ['[outbound_http]\npooling = true', 'key(s): outbound_http.pooling'],
    ['outbound_http = 1', 'outbound_http must be a table'],
    ['[[client_tls]]', '[client_tls]'],
    ['[outbound_redis]', '[outbound_redis]'],
    ['a = ', 'rc.toml'],
  ])('with %j is refused by name', async (text, message) => {
    const session = createSession()
    writeCounters(session)
    session.write('rc.toml', text)
    const { code, stderr } = await session.run(
      'up',
      '-f',
      'app',
      '--runtime-config-file',
      'rc.toml',
    )
    expect(code).toBe(1)
    expect(stderr).toContain(message)
  })

  it('that is missing is named', async () => {
    const session = createSession()
    writeCounters(session)
    const { stderr } = await session.run('up', '-f', 'app', '--runtime-config-file', 'none.toml')
    expect(stderr).toContain('none.toml with the runtime configuration')
  })

  it.each([
    ['[outbound_http]', {}],
    [
      '[outbound_http]\nconnection_pooling = false\nmax_connections = 3',
      { connectionPooling: false, maxConnections: 3 },
    ],
    ['[outbound_http]\nmax_concurrent_requests = 0', { maxConnections: 1 }],
    [
      '[outbound_http]\nmax_connections = 3\n[outbound_networking]\nmax_total_connections = 2\nmax_socket_connections = 1',
      { maxConnections: 2 },
    ],
    [
      '[outbound_networking]\nblock_networks = ["private", "1.1.1.1/32"]',
      { blockNetworks: ['private', '1.1.1.1/32'] },
    ],
  ])('%j is how requests are sent', async (text, outbound) => {
    const session = createSession()
    session.write('rc.toml', text)
    const io = { env: {}, cwd: session.home }
    const config = await readRuntimeConfig('rc.toml', io as Parameters<typeof readRuntimeConfig>[1])
    expect(config.outbound).toEqual(outbound)
  })

  it('with blocked networks takes no proxy, which would look up names itself', async () => {
    const session = createSession()
    writeCounters(session)
    session.write('rc.toml', '[outbound_networking]\nblock_networks = ["private"]')
    const flags = ['-f', 'app', '--runtime-config-file', 'rc.toml', '--outbound-proxy']
    const { code, stderr } = await session.run('up', ...flags)
    expect(code).toBe(2)
    expect(stderr).toContain('block_networks of the runtime configuration')
  })

  it('says how much memory there is, unless a flag does', async () => {
    const session = createSession()
    session.write('rc.toml', 'max_instance_memory = 1048576')
    const io = { env: {}, cwd: session.home }
    const config = await readRuntimeConfig('rc.toml', io as Parameters<typeof readRuntimeConfig>[1])
    expect(config.maxMemory).toBe(1048576)
  })
})

describe('what is stored at the start', () => {
  const args = (app: string): string[] => [
    'up',
    '-f',
    app,
    '--key-value',
    'first=1=2',
    '--sqlite',
    'create table one (a)',
    '--sqlite',
    '@more.sql',
  ]
  const SQL = `-- two statements and a comment
insert into one values ('a;b'); insert into one values ('ä');
/* the end */`

  it('is in the files of the default labels, once', async () => {
    const session = createSession()
    const app = writeCounters(session)
    session.write('more.sql', SQL)
    const up = await start(session, ...args(app))
    expect(await textOf(`${up.url}/default`)).toContain(',n,1|')
    await up.stop()
    const store = createFileKeyValue(session.path('app/.spin/sqlite_key_value.db'), sqlite)
    expect(new TextDecoder().decode((await store.get('first')) ?? new Uint8Array())).toBe('1=2')
    const database = createFileSqlite(session.path('app/.spin/sqlite_db.db'), sqlite)()
    expect(await database.execute('select count(*), max(a) from one', [])).toMatchObject({
      rows: [[{ val: 2n }, { val: 'ä' }]],
    })
  })

  it('is in memory where there are no files', async () => {
    const session = createSession()
    const app = writeCounters(session)
    const up = await start(
      session,
      ...['up', '-f', app, '--state-dir', '', '--sqlite'],
      `create table t(i integer, r, t, b, n); insert into t values (1, 1.5, 'x', 'y', null)`,
    )
    expect(await textOf(`${up.url}/default`)).toContain(',n,2|')
    await up.stop()
  })

  it('goes into a database that the configuration names', async () => {
    const session = createSession()
    const app = writeCounters(session)
    session.write('rc.toml', '[sqlite_database.more]\ntype = "spin"\npath = "more.db"')
    session.write('make.sql', 'create table made (a)')
    const config = ['--runtime-config-file', 'rc.toml']
    await (await start(session, 'up', '-f', app, ...config, '--sqlite', '@make.sql:more')).stop()
    const database = createFileSqlite(session.path('more.db'), sqlite)()
    expect(await database.execute('select count(*) from made', [])).toMatchObject({
      rows: [[{ val: 0n }]],
    })
  })

  it.each([
    [['--sqlite', '@none.sql'], 'none.sql with SQL'],
    [['--sqlite', '@:label'], 'write a statement, @FILE or @FILE:LABEL'],
    [['--sqlite', '@file:'], 'write a statement, @FILE or @FILE:LABEL'],
    [['--sqlite', '@make.sql:other'], "a registered database named 'other' was expected"],
    [['--sqlite', 'selct'], 'near "selct": syntax error'],
    [['--sqlite', 'select 1;\0select 2'], 'a zero character between the statements'],
    [['--key-value', 'x'], 'Write KEY=VALUE'],
  ])('is refused where it can’t be (%j)', async (flags, message) => {
    const session = createSession()
    const app = writeCounters(session)
    session.write('make.sql', 'create table made (a)')
    const { code, stderr } = await session.run('up', '-f', app, ...flags, '--listen', '127.0.0.1:0')
    expect(code).not.toBe(0)
    expect(stderr).toContain(message)
  })
})
