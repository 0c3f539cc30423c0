import { describe, expect, it } from 'vitest'
import { restoreApp, snapshotOf } from '../../src/run/app/app-snapshot.ts'
import { createAppHandler, type LogLine } from '../../src/run/index.ts'
import { runAppOf } from '../../src/run/app/run-app.ts'
import { createRunHandler } from '../../src/run/handler/run-handler.ts'
import type { LockedDependency } from '../../src/spin/lock/locked-app.ts'
import type { PulledApp } from '../../src/spin/artifact/pulled-app.ts'
import { bytesOfFile, pulledApp } from './fixtures.ts'
import { coreOf, witOf } from './typed-modules.ts'

const guest = (name: string): Uint8Array => bytesOfFile(`test/guests/${name}.wasm`)
const COMPOSED = new TextDecoder().decode(bytesOfFile('test/guests/composed.wit'))
const source = {
  content_type: 'application/wasm',
  digest: `sha256:${'0'.repeat(64)}`,
} as const

interface Given extends Partial<LockedDependency> {
  readonly wasm?: Uint8Array
}

/** An application of one component that asks another, which goes by these names. */
function app(dependencies: Readonly<Record<string, Given>>, wasm = guest('asker')): PulledApp {
  const entries = Object.entries(dependencies)
  return pulledApp(
    {
      asker: {
        wasm,
        fileTree: new Map([['a.txt', new Uint8Array(3)]]),
        env: { MODE: 'test' },
        config: { name: 'Mr X' },
        dependencies: Object.fromEntries(
          entries.map(([name, { wasm: _, ...rest }]) => [name, { source, export: null, ...rest }]),
        ),
        dependencyWasm: Object.fromEntries(
          entries.map(([name, { wasm: given = guest('words') }]) => [name, given]),
        ),
      },
    },
    [{ route: '/...', component: 'asker' }],
  )
}

async function answer(of: PulledApp): Promise<string> {
  const log: LogLine[] = []
  const handler = await createAppHandler(of, { onLog: (line) => log.push(line) })
  const response = await handler.fetch(new Request('http://app.example/you'))
  return response.status === 200 ? response.text() : JSON.stringify(log)
}

const NOTHING = 'Hello, /you\nenv mounts 0 variable none'
const ALL = 'Hello, /you\nenv MODE mounts 1 variable Mr X'

describe('a component that depends on another', () => {
  it.each(['test:words', 'test:words/words', 'test:words@1.2.0', 'test:words/words@1.2.0'])(
    'asks it under the name %s',
    async (name) => {
      expect(await answer(app({ [name]: {} }))).toBe(NOTHING)
    },
  )

  it.each([
    ['nothing', undefined, NOTHING],
    ['all', 'All', ALL],
    ['its environment', { Some: ['environment'] }, 'Hello, /you\nenv MODE mounts 0 variable none'],
    ['its files', { Some: ['files'] }, 'Hello, /you\nenv mounts 1 variable none'],
    ['its variables', { Some: ['variables'] }, 'Hello, /you\nenv mounts 0 variable Mr X'],
  ] as const)('shares %s with it', async (_, inherit, text) => {
    expect(await answer(app({ 'test:words': inherit === undefined ? {} : { inherit } }))).toBe(text)
  })

  it.each([
    ['the one is', true, false],
    ['the other is', false, true],
    ['both are', true, true],
  ])('asks it where %s a core module that carries its world', async (_, first, second) => {
    const wit = (world: string): string => `${witOf(world)}\n${COMPOSED}`
    const asker = await coreOf(
      guest('asker'),
      wit('import test:words/words@1.2.0; export fermyon:spin/inbound-http;'),
    )
    const words = await coreOf(
      guest('words'),
      wit(`import wasi:cli/environment@0.2.0; import wasi:filesystem/preopens@0.2.0;
        import fermyon:spin/variables@2.0.0; export test:words/words@1.2.0;`),
    )
    const given = { inherit: 'All', wasm: second ? words : guest('words') } as const
    expect(await answer(app({ 'test:words': given }, first ? asker : guest('asker')))).toBe(ALL)
  })

  it('goes to another thread or Worker with it', async () => {
    const snapshot = await snapshotOf(runAppOf(app({ 'test:words': { inherit: 'All' } })))
    const copy = structuredClone(snapshot)
    const handler = await createRunHandler(restoreApp(copy))
    const response = await handler.fetch(new Request('http://app.example/you'))
    expect(await response.text()).toBe(ALL)
  })

  it('is refused without it', async () => {
    await expect(answer(app({}))).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining('test:words/words@1.2.0'),
    })
  })

  it.each([
    [
      'fills no import',
      { 'test:other': {} },
      'ERR_APP_INVALID',
      /no import for its dependency "test:other"/,
    ],
    [
      'is of another version',
      { 'test:words@2.0.0': {} },
      'ERR_APP_INVALID',
      /no import for its dependency "test:words@2.0.0"/,
    ],
    [
      'lacks the export that is named',
      { 'test:words/words': { export: 'other' } },
      'ERR_APP_INVALID',
      /exports no "other"/,
    ],
    [
      'lacks the export of the import’s name',
      { 'test:words': { wasm: guest('inbound') } },
      'ERR_APP_INVALID',
      /exports no "test:words\/words@1\.2\.0"/,
    ],
    [
      'is a core module',
      { 'test:words': { wasm: guest('legacy') } },
      'ERR_UNSUPPORTED',
      /"test:words" is no component/,
    ],
    [
      'is nothing',
      { 'test:words': { wasm: new Uint8Array() } },
      'ERR_UNSUPPORTED',
      /"test:words" is no component/,
    ],
  ] as const)('is refused when that one %s', async (_, dependencies, code, message) => {
    await expect(answer(app(dependencies))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
  })

  it('must be a component itself', async () => {
    await expect(answer(app({ 'test:words': {} }, guest('legacy')))).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(/has dependencies, but is no component/),
    })
  })

  it('answers 500 when an export of the right name is of another type', async () => {
    const text = await answer(
      app({
        'test:words/words': {
          wasm: guest('inbound'),
          export: 'fermyon:spin/inbound-http',
        },
      }),
    )
    expect(text).toMatch(/an instance has no export/)
  })
})
