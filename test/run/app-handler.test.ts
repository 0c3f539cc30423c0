import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { describe, expect, it } from 'vitest'
import { createAppHandler, type AppHandlerOptions, type LogLine } from '../../src/run/index.ts'
import { bytesOfFile, pulledApp, type FixtureComponent } from './fixtures.ts'
import { expectNoWaiting, itWaits } from './waiting.ts'

const proxy = bytesOfFile('test/guests/proxy.wasm')
const start = (
  components: Readonly<Record<string, FixtureComponent>>,
  triggers: Parameters<typeof pulledApp>[1],
  more: Parameters<typeof pulledApp>[2] = {},
  options: AppHandlerOptions = {},
) => createAppHandler(pulledApp(components, triggers, more), options)
const request = (path: string, init?: RequestInit): Request =>
  new Request(`http://app.example${path}`, init)

describe('what Spin answers itself', () => {
  const app = start({ a: { wasm: proxy } }, [{ route: '/...', component: 'a' }])

  it('is its health', async () => {
    const response = await (await app).fetch(request('/.well-known/spin/health'))
    expect([response.status, await response.text()]).toEqual([200, 'OK'])
  })

  it('is what the application says of itself', async () => {
    const response = await (await app).fetch(request('/.well-known/spin/info'))
    expect(await response.json()).toEqual({
      name: 'test',
      version: '1.2.3',
      oci_image_digest: `sha256:${'0'.repeat(64)}`,
    })
  })

  it('is nothing else below it, whatever the routes', async () => {
    expect((await (await app).fetch(request('/.well-known/spin/other'))).status).toBe(404)
  })

  it('is 404 without a body where no route leads', async () => {
    const narrow = await start({ a: { wasm: proxy } }, [{ route: '/only', component: 'a' }])
    const response = await narrow.fetch(request('/elsewhere'))
    expect([response.status, await response.text()]).toEqual([404, ''])
  })
})

describe('static responses', () => {
  it('need no component', async () => {
    const app = await start({}, [
      {
        route: '/robots.txt',
        static_response: { status_code: 203, headers: { 'x-a': 'b' }, body: 'none' },
      },
    ])
    const response = await app.fetch(request('/robots.txt'))
    expect([
      response.status,
      response.headers.get('x-a'),
      response.headers.get('content-type'),
      await response.text(),
    ]).toEqual([203, 'b', null, 'none'])
  })

  it('of routes that nothing reaches are told of at the start, in Spin’s words', async () => {
    const log: LogLine[] = []
    const fixed = { static_response: { body: 'x' } }
    await start(
      {},
      [
        { route: '/a', ...fixed },
        { route: '/a', ...fixed },
        { route: '/.well-known/spin/mine', ...fixed },
      ],
      {},
      { onLog: (line) => log.push(line) },
    )
    expect(log.map(({ stream, text }) => `${stream} ${text}`)).toEqual([
      'host The following component routes are duplicates and will never be used:',
      'host   t0: /a (duplicate of t1)',
      'host Routes under /.well-known/spin/ are handled by the Spin runtime and will never be reached',
    ])
  })

  it('that are none are refused at the start', async () => {
    await expect(
      start({}, [{ route: '/', static_response: { status_code: 99 } }]),
    ).rejects.toMatchObject({ code: 'ERR_APP_INVALID' })
    await expect(
      start({}, [{ route: '/', static_response: { headers: { 'a\n': 'b' } } }]),
    ).rejects.toMatchObject({ code: 'ERR_APP_INVALID' })
  })
})

describe('components that ask each other', () => {
  const components = {
    front: {
      wasm: proxy,
      env: { ME: 'front' },
      metadata: { allowed_outbound_hosts: ['http://*.spin.internal'] },
    },
    back: { wasm: proxy, env: { ME: 'back' } },
  }
  const triggers = [
    { route: '/...', component: 'front' },
    { route: { private: true }, component: 'back' },
  ]

  const expectRefusal = async (path: string): Promise<void> => {
    const log: LogLine[] = []
    const app = await start(components, triggers, {}, { onLog: (line) => log.push(line) })
    await expectNoWaiting({ get: (to) => app.fetch(request(to)), log }, path)
  }

  itWaits(
    'do so by id, private ones too',
    async () => {
      const app = await start(components, triggers)
      expect(await (await app.fetch(request('/out/back.spin.internal/env'))).text()).toBe(
        '200 ME=back\n',
      )
      const facts = await (await app.fetch(request('/out/back.spin.internal/p?q'))).text()
      expect(facts).toContain('spin-path-info: /p\n')
      expect(facts).toContain('spin-matched-route: /...\n')
      expect(facts).toContain('spin-full-url: http://back.spin.internal/p?q\n')
      expect(facts).toContain('spin-client-addr: 0.0.0.0:0\n')
    },
    () => expectRefusal('/out/back.spin.internal/env'),
  )

  itWaits(
    'reach none that isn’t there, and nothing unlisted',
    async () => {
      const app = await start(components, triggers)
      expect(await (await app.fetch(request('/out/none.spin.internal/'))).text()).toBe('error 15')
      const other = await start({ ...components, front: { wasm: proxy } }, triggers)
      expect(await (await other.fetch(request('/out/back.spin.internal/'))).text()).toBe('error 15')
    },
    () => expectRefusal('/out/none.spin.internal/'),
  )

  it('can’t be reached from outside by a private route', async () => {
    const app = await start(components, [{ route: { private: true }, component: 'back' }])
    expect((await app.fetch(request('/'))).status).toBe(404)
    expect((await app.fetch(new Request('http://back.spin.internal/'))).status).toBe(404)
  })
})

describe('what can’t be started', () => {
  const one = [{ route: '/...', component: 'a' }]
  const component = async (wat: string): Promise<FixtureComponent> => ({ wasm: await parse(wat) })
  const exporting = (...names: string[]): string =>
    `(component ${names.map((name, i) => `(instance $i${i}) (export "${name}" (instance $i${i}))`).join(' ')})`

  it.each([
    [
      'has no handler',
      exporting('my:own/thing@1.0.0'),
      /component "a": it exports no supported handler \(it exports my:own\/thing@1\.0\.0\)/,
    ],
    [
      'has two',
      exporting('wasi:http/incoming-handler@0.2.0', 'fermyon:spin/inbound-http'),
      /more than one handler/,
    ],
    [
      'has one of each WASI',
      exporting('wasi:http/incoming-handler@0.2.0', 'wasi:http/handler@0.3.0'),
      /more than one handler/,
    ],
    [
      'is of an older draft of WASI 0.3',
      exporting('wasi:http/handler@0.3.0-rc-2025-09-16'),
      /no supported handler/,
    ],
    ['is an unknown core module', '(module)', /neither a component nor/],
  ])('a component that %s', async (_, wat, message) => {
    await expect(start({ a: await component(wat) }, one)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(message),
    })
  })

  it('bytes that are no WebAssembly', async () => {
    await expect(
      start({ a: { wasm: new TextEncoder().encode('<html>') } }, one),
    ).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
  })

  it('a component with an unknown import, by name', async () => {
    const wat =
      '(component (import "my:own/thing@1.0.0" (instance)) (import "wasi:io/poll@0.3.0" (instance)) (instance $i) (export "wasi:http/incoming-handler@0.2.0" (instance $i)))'
    await expect(start({ a: await component(wat) }, one)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(/my:own\/thing@1\.0\.0, wasi:io\/poll@0\.3\.0/),
    })
  })

  it('a component with an import that the host was given can', async () => {
    const wat =
      '(component (import "my:own/thing@1.0.0" (instance)) (instance $i) (export "wasi:http/incoming-handler@0.2.0" (instance $i)))'
    await expect(
      start(
        { a: await component(wat) },
        one,
        {},
        { interfaces: { 'my:own/thing': { functions: {} } } },
      ),
    ).resolves.toBeDefined()
  })

  it('a trigger without its component', async () => {
    await expect(start({}, one)).rejects.toMatchObject({ code: 'ERR_APP_INVALID' })
    await expect(start({}, [{ route: '/', component: '__proto__' }])).rejects.toMatchObject({
      code: 'ERR_APP_INVALID',
    })
  })

  it('an application without a value for a variable that it requires', async () => {
    const variables = { token: { secret: true as const } }
    await expect(start({}, [], { variables })).rejects.toMatchObject({
      code: 'ERR_APP_INVALID',
      message: expect.stringContaining('"token"'),
    })
    await expect(start({}, [], { variables }, { variables: { token: 'x' } })).resolves.toBeDefined()
  })

  it('hosts that are none, naming no secret', async () => {
    const metadata = { allowed_outbound_hosts: ['{{ token }}'] }
    const started = start(
      { a: { wasm: proxy, metadata } },
      one,
      { variables: { token: {} } },
      { variables: { token: 'hunter2' } },
    )
    await expect(started).rejects.toMatchObject({
      code: 'ERR_APP_INVALID',
      message: expect.stringMatching(/"\{\{ token \}\}"/),
    })
    expect(String(await started.catch((error: unknown) => error))).not.toContain('hunter2')
  })

  it('applications that need another host', async () => {
    await expect(
      start({ a: { wasm: proxy, host_requirements: { teleport: 'required' } } }, one),
    ).rejects.toThrow(/teleport/)
  })

  it('wrong arguments', async () => {
    await expect(start({}, [], {}, { concurrency: 0 })).rejects.toThrow(TypeError)
  })
})
