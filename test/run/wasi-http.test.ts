import { beforeAll, describe, expect, it } from 'vitest'
import { createMemoryKeyValue, type KeyValueStore } from '../../src/run/index.ts'
import type { FixtureComponent } from './fixtures.ts'
import { FILES, guest, run, type Running } from './guests.ts'

describe('a wasi:http component', () => {
  const component: FixtureComponent = {
    wasm: guest('proxy'),
    fileTree: FILES,
    env: { MODE: 'test' },
    config: { name: 'Mr {{ who }}', secret: '{{ password }}' },
    metadata: {
      key_value_stores: ['default', 'gone'],
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
    // As in Wasmtime and Spin: the request's authority says it.
    expect(lines.filter((line) => line.startsWith('host:'))).toEqual([])
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
    expect(app.log).not.toEqual([])
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
    let open = 0
    let most = 0
    const memory = createMemoryKeyValue()
    const keyValue = (): KeyValueStore => ({
      ...memory,
      // While it waits for this, a guest has its place: its client keeps nobody waiting.
      async set(key, value) {
        most = Math.max(most, ++open)
        await new Promise((resolve) => setTimeout(resolve, 2))
        open--
        return memory.set(key, value)
      },
    })
    const narrow = await run(
      { wasm: guest('async'), metadata: { key_value_stores: ['default'] } },
      { concurrency: 2, keyValue },
    )
    const answers = await Promise.all(Array.from({ length: 30 }, () => narrow.text('/kv')))
    expect([new Set(answers.map((text) => text.slice(0, 6))), most]).toEqual([
      new Set(['set 0\n']),
      2,
    ])
  })
})
