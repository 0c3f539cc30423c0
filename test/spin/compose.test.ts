// Push composes components with what they depend on: the result runs here and in Wasmtime, and
// answers as the parts do when a host links them.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAppHandler, type LogLine } from '../../src/run/index.ts'
import { composeComponent, type Supplier } from '../../src/spin/compose/compose-component.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { unpackApp } from '../../src/spin/artifact/unpack.ts'
import { bytesOfFile, pulledApp } from '../run/fixtures.ts'
import { findWasmtime } from '../run/wasmtime-program.ts'

const guest = (name: string): Uint8Array => bytesOfFile(`test/guests/${name}.wasm`)

const NOTHING = 'Hello, /you\nenv mounts 0 variable none'
const ALL = 'Hello, /you\nenv MODE mounts 1 variable Mr X'

const MANIFEST = `spin_manifest_version = 2
[application]
name = "composed"
[[trigger.http]]
route = "/..."
component = "asker"
[component.asker]
source = "asker.wasm"
files = ["a.txt"]
environment = { MODE = "test" }
variables = { name = "Mr X" }
`

const dependency = (value: string): string =>
  `${MANIFEST}[component.asker.dependencies]\n"test:words" = ${value}\n`

async function packed(manifest: string, more: Readonly<Record<string, Uint8Array>> = {}) {
  const app = await loadApp(
    new Map<string, Uint8Array>([
      ['spin.toml', new TextEncoder().encode(manifest)],
      ['asker.wasm', guest('asker')],
      ['words.wasm', guest('words')],
      ['a.txt', new Uint8Array(3)],
      ...Object.entries(more),
    ]),
  )
  return app.pack()
}

async function answerOf(app: Parameters<typeof createAppHandler>[0], path = '/you') {
  const log: LogLine[] = []
  const handler = await createAppHandler(app, { onLog: (line) => log.push(line) })
  const response = await handler.fetch(new Request(`http://app.example${path}`))
  return response.status === 200 ? response.text() : JSON.stringify(log)
}

async function answer(manifest: string): Promise<string> {
  const { descriptor, store } = await packed(manifest)
  return answerOf(await unpackApp(descriptor, store))
}

describe('an application that is packed with dependencies', () => {
  it.each([
    ['nothing', '{ path = "words.wasm" }', NOTHING],
    ['all', '{ path = "words.wasm", inherit_configuration = true }', ALL],
    [
      'its environment',
      '{ path = "words.wasm", inherit_configuration = ["environment"] }',
      'Hello, /you\nenv MODE mounts 0 variable none',
    ],
    [
      'its files and variables',
      '{ path = "words.wasm", inherit_configuration = ["files", "variables"] }',
      'Hello, /you\nenv mounts 1 variable Mr X',
    ],
  ])('shares %s with them', async (_, value, text) => {
    expect(await answer(dependency(value))).toBe(text)
  })

  it('shares all with all of them by one switch', async () => {
    const manifest = dependency('{ path = "words.wasm" }').replace(
      'source = ',
      'dependencies_inherit_configuration = true\nsource = ',
    )
    expect(await answer(manifest)).toBe(ALL)
  })

  it('has one component and no dependencies in its lock', async () => {
    const { locked, store, descriptor } = await packed(dependency('{ path = "words.wasm" }'))
    expect(locked.components.map(({ dependencies }) => dependencies)).toEqual([undefined])
    const app = await unpackApp(descriptor, store)
    const wasm = await app.component('asker')
    expect([...wasm.subarray(0, 8)]).toEqual([0, 97, 115, 109, 13, 0, 1, 0])
    expect(wasm.length).toBeGreaterThan(guest('asker').length + guest('words').length)
  })

  it('has the same digest each time', async () => {
    const manifest = dependency('{ path = "words.wasm" }')
    const [one, two] = [await packed(manifest), await packed(manifest)]
    expect(one.descriptor.digest).toBe(two.descriptor.digest)
  })

  it.each([
    [
      'fills no import',
      '"test:other" = { path = "words.wasm" }',
      /component "asker" has no import for its dependency "test:other"/,
    ],
    [
      'lacks the export that is named',
      '"test:words/words" = { path = "words.wasm", export = "other" }',
      /the dependency "test:words\/words" of component "asker" exports no "other"/,
    ],
    [
      'has an export of another type',
      '"test:words/words" = { path = "inbound.wasm", export = "fermyon:spin/inbound-http" }',
      /does not fit the import "test:words\/words@1\.2\.0": it has no "speaker"/,
    ],
    [
      'is a core module',
      '"test:words" = { path = "legacy.wasm" }',
      /the dependency "test:words" of component "asker" is not a component/,
    ],
  ])('is refused where one %s', async (_, entry, message) => {
    const manifest = `${MANIFEST}[component.asker.dependencies]\n${entry}\n`
    await expect(
      packed(manifest, { 'inbound.wasm': guest('inbound'), 'legacy.wasm': guest('legacy') }),
    ).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_(?:APP_INVALID|UNSUPPORTED)$/),
      message: expect.stringMatching(message),
    })
  })

  it('is refused where its component is a core module', async () => {
    await expect(
      packed(dependency('{ path = "words.wasm" }'), { 'asker.wasm': guest('legacy') }),
    ).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(/component "asker" has dependencies, but is a core module/),
    })
  })
})

describe('middleware of a trigger', () => {
  const manifest = `spin_manifest_version = 2
[application]
name = "layered"
[[trigger.http]]
route = "/..."
component = "inner"
dependencies.middleware = [{ path = "outer.wasm", inherit_configuration = true }]
[component.inner]
source = "inner.wasm"
`
  const files = new Map<string, Uint8Array>([
    ['spin.toml', new TextEncoder().encode(manifest)],
    ['inner.wasm', guest('async-plain')],
  ])

  it('is refused when it passes nothing on', async () => {
    const app = await loadApp(new Map([...files, ['outer.wasm', guest('async-plain')]]))
    await expect(app.pack()).rejects.toMatchObject({
      code: 'ERR_APP_INVALID',
      message:
        'middleware 1 of component "inner" has no import for its dependency "wasi:http/handler"',
    })
  })

  it('becomes one component with the one that it precedes, which every host can run', async () => {
    const app = await loadApp(new Map([...files, ['outer.wasm', guest('middleware')]]))
    const { locked, descriptor, store } = await app.pack()
    expect(locked).toMatchObject({ spin_lock_version: 0 })
    expect(locked.must_understand).toBeUndefined()
    expect(Object.keys(locked.components[0] ?? {}).sort()).toEqual(['id', 'source'])
    expect(await answerOf(await unpackApp(descriptor, store), '/hello')).toBe(await bare())
  })

  const bare = (): Promise<string> =>
    answerOf(
      pulledApp({ guest: { wasm: guest('async-plain') } }, [{ route: '/...', component: 'guest' }]),
      '/hello',
    )

  it('precedes its component in an application that runs from a folder', async () => {
    const app = await loadApp(new Map([...files, ['outer.wasm', guest('middleware')]]))
    expect(await answerOf(app, '/hello')).toBe(await bare())
  })

  it('precedes its component in an application that was pushed without composing', async () => {
    const app = await loadApp(new Map([...files, ['outer.wasm', guest('middleware')]]))
    const { descriptor, store } = await app.pack({ uncomposed: true })
    expect(await answerOf(await unpackApp(descriptor, store), '/hello')).toBe(await bare())
  })

  // Middleware may decide who gets in.
  it('is never left out: an application whose middleware does not fit does not start', async () => {
    const app = await loadApp(new Map([...files, ['outer.wasm', guest('async-plain')]]))
    const { descriptor, store } = await app.pack({ uncomposed: true })
    const message =
      'middleware 1 of component "inner" has no import for its dependency "wasi:http/handler"'
    for (const wrong of [app, await unpackApp(descriptor, store)])
      await expect(answerOf(wrong)).rejects.toMatchObject({ code: 'ERR_APP_INVALID', message })
  })

  it('runs in a host that gets it composed with the requirement that Spin keeps', async () => {
    const app = pulledApp(
      {
        guest: {
          wasm: guest('async-plain'),
          host_requirements: { middleware: 'required' },
        },
      },
      [{ route: '/...', component: 'guest' }],
    )
    expect(await answerOf(app, '/hello')).toBe(await bare())
  })
})

const denied = (name: string, suppliers: readonly Supplier[] = []): Uint8Array =>
  composeComponent(guest(name), suppliers, { what: 'the guest', inherit: [] })

describe('what a dependency does not inherit', () => {
  it.each([
    '/redis',
    '/mysql',
    '/postgres',
    '/mqtt',
    '/redis3',
    '/mysql3',
    '/postgres4',
    '/mqtt3',
    '/llm',
    '/config',
    '/store',
  ])('is refused inside of the component, so that no host is asked: %s', async (path) => {
    const app = pulledApp({ guest: { wasm: denied('services') } }, [
      { route: '/...', component: 'guest' },
    ])
    const log: LogLine[] = []
    const handler = await createAppHandler(app, {
      jspi: false,
      onLog: (line) => log.push(line),
    })
    const response = await handler.fetch(new Request(`http://app.example${path}`))
    expect({ status: response.status, log }).toEqual({ status: 200, log: [] })
  })

  it('has no store, although the application has one', async () => {
    const wasm = denied('services')
    const app = pulledApp({ guest: { wasm, metadata: { key_value_stores: ['default'] } } }, [
      { route: '/...', component: 'guest' },
    ])
    // The second case of the error: access-denied.
    expect(await answerOf(app, '/keyvalue/default')).toBe('error 1')
  })
})

describe('in Wasmtime', () => {
  const wasmtime = findWasmtime()
  if (wasmtime === undefined)
    return it('a composed component is valid', (context) =>
      context.skip('no wasmtime: see CONTRIBUTING.md'))
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'spindle-compose-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const place = (wasm: Uint8Array): string => {
    const path = join(folder, 'guest.wasm')
    writeFileSync(path, wasm)
    return path
  }
  const FEATURES = 'component-model-async=y,component-model-async-stackful=y'

  it.each([undefined, 'all', ['environment']] as const)(
    'a component with a dependency that inherits %s is valid',
    (inherit) => {
      const wasm = composeComponent(
        guest('asker'),
        [{ name: 'test:words', wasm: guest('words'), inherit }],
        { what: 'the guest' },
      )
      execFileSync(wasmtime, ['compile', '-o', join(folder, 'out'), place(wasm)])
    },
  )

  it.each(['services', 'proxy', 'proxy-draft', 'async', 'stackful', 'sqlite', 'words', 'command'])(
    '%s is valid with nothing inherited',
    (name) => {
      const out = join(folder, 'out')
      execFileSync(wasmtime, ['compile', '-W', FEATURES, '-o', out, place(denied(name))])
    },
  )

  it('a program has no environment when it does not inherit it', () => {
    const run = (wasm: Uint8Array): string =>
      execFileSync(wasmtime, ['run', '--env', 'SEEN=1', place(wasm)], {
        input: '',
        encoding: 'utf8',
      })
    expect(run(guest('command'))).toContain('SEEN=1')
    expect(run(denied('command'))).not.toContain('SEEN=1')
  })
})
