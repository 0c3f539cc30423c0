import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { splitComponent, type AppHandlerOptions } from '../../src/run/index.ts'
import type { FixtureComponent } from './fixtures.ts'
import { FILES, guest, run, type Running } from './guests.ts'
import {
  asOldFormat,
  typeSections,
  untyped,
  witOf,
  withSections,
  worldSection,
} from './typed-modules.ts'
import { expectNoWaiting, itWaits } from './waiting.ts'

const component: Omit<FixtureComponent, 'wasm'> = {
  fileTree: FILES,
  env: { MODE: 'test' },
  config: { greeting: 'hi' },
  metadata: { key_value_stores: ['default'] },
}
const start = (wasm: Uint8Array, options: AppHandlerOptions = {}, config = {}): Promise<Running> =>
  run({ wasm, ...component }, options, config)

const answerOf = async (app: Running, path: string, init?: RequestInit): Promise<unknown> => {
  const response = await app.get(path, init)
  return [response.status, [...response.headers], await response.text()]
}

describe.each([
  [
    'wasi:http 0.2',
    'proxy',
    ['/env', '/files', '/headers', '/variable', '/kv', '/nowhere', '/exit'],
  ],
  ['the draft of November 2023', 'proxy-draft', ['/env', '/files', '/nowhere']],
  ['fermyon:spin/inbound-http', 'inbound', ['/p?q']],
  ['wasi:http 0.3', 'async', ['/hello', '/slow', '/files', '/nowhere', '/trap']],
])('a core module of %s', (_, name, paths) => {
  it.each(paths)('answers %s as the component that is made of it', async (path) => {
    const [core, made] = await Promise.all([start(guest(`${name}-core`)), start(guest(name))])
    expect(await answerOf(core, path)).toEqual(await answerOf(made, path))
    expect(core.log).toEqual(made.log)
  })

  it('answers POST /echo as the component that is made of it', async () => {
    const [core, made] = await Promise.all([start(guest(`${name}-core`)), start(guest(name))])
    const init = { method: 'POST', body: 'back' }
    expect(await answerOf(core, '/echo', init)).toEqual(await answerOf(made, '/echo', init))
  })
})

describe('a core module over wasi-libc', () => {
  const wasm = guest('mixed')

  it('is initialized before its first call', async () => {
    expect(await (await start(wasm)).text('/start')).toBe('initialized 1')
  })

  it('has files, environment, clock and random numbers by preview1', async () => {
    const app = await start(wasm)
    expect(await app.text('/files')).toBe(
      'read hello file\nentry .\nentry ..\nentry b.txt\nwrite -1 Read-only file system\nup -1\n',
    )
    expect(await app.text('/env')).toBe('test')
    expect(await app.text('/time')).toBe('1')
    expect(await app.text('/random')).toBe('0')
    expect(await app.text('/stdin')).toBe('-1')
  })

  it('prints to the log', async () => {
    const app = await start(wasm)
    expect(await app.text('/print')).toBe('printed')
    expect(app.log).toEqual([
      { component: 'guest', stream: 'stdout', text: 'to stdout' },
      { component: 'guest', stream: 'stderr', text: 'to stderr' },
    ])
  })

  it('has Spin’s interfaces beside them', async () => {
    const app = await start(wasm)
    expect(await app.text('/variable')).toBe('0 hi')
    expect(await app.text('/kv')).toBe('value')
  })

  itWaits(
    'sleeps',
    async () => expect(await (await start(wasm)).text('/sleep')).toBe('slept 0'),
    async () => expectNoWaiting(await start(wasm), '/sleep'),
  )

  it('ends by itself', async () => {
    const app = await start(wasm)
    expect((await app.get('/exit')).status).toBe(500)
    expect(app.log.at(-1)?.text).toMatch(/exited with 3/)
    expect((await app.get('/abort')).status).toBe(500)
    expect(app.log.at(-1)?.text).toMatch(/unreachable/)
    expect(await app.text('/start')).toBe('initialized 1')
  })

  it('pays for its memory', async () => {
    const app = await start(wasm, { maxMemory: 130_000 }).catch((error: unknown) => error)
    expect(app).toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
      message: expect.stringMatching(/maxMemory/),
    })
  })

  it('runs split into its interface and its code', async () => {
    const { skeleton, modules } = await splitComponent(wasm)
    expect(modules.size).toBe(1)
    expect(skeleton.length).toBeLessThan(wasm.length / 4)
    const app = await start(skeleton, {
      compile: (_, digest) => WebAssembly.compile(modules.get(digest) as Uint8Array<ArrayBuffer>),
    })
    expect(await app.text('/env')).toBe('test')
    await expect(start(skeleton)).rejects.toMatchObject({ code: 'ERR_FILE_MISSING' })
  })
})

describe('the worlds of a core module', () => {
  it('are read in the format of wit-bindgen before 0.17', async () => {
    const wasm = guest('mixed')
    const [section] = typeSections(wasm)
    const old = asOldFormat(section?.[1] as Uint8Array)
    const app = await start(withSections(untyped(wasm), [['component-type:guest', old]]))
    expect(await app.text('/kv')).toBe('value')
  })

  it('are merged: interfaces, and their resources, are the same in all', async () => {
    const sections = await Promise.all(
      [
        'import wasi:http/types@0.2.0; import fermyon:spin/variables@2.0.0;',
        'import fermyon:spin/key-value@2.0.0; import wasi:io/streams@0.2.0;',
        'export wasi:http/incoming-handler@0.2.0;',
      ].map((world) => worldSection(witOf(world))),
    )
    const wasm = withSections(
      untyped(guest('mixed')),
      sections.map((content, i) => [`component-type:${i}`, content]),
    )
    const app = await start(wasm)
    expect(await app.text('/kv')).toBe('value')
    expect(await app.text('/variable')).toBe('0 hi')
  })

  it('may have interfaces that this host lacks, if the module does not import them', async () => {
    const unknown = 'package test:other { interface unknown { use-it: func(); } }'
    const section = await worldSection(witOf('import test:other/unknown;', unknown))
    const app = await start(withSections(guest('inbound-core'), [['component-type:more', section]]))
    expect(await app.text('/p')).toBe('method 0 uri /p body ')
  })
})

describe('a program with imports beside preview1', () => {
  const wagi = { executor: { type: 'wagi' } }

  it('runs over CGI', async () => {
    const app = await start(guest('program'), {}, wagi)
    expect(await app.text('/p?a', { method: 'POST', body: 'BODY' })).toBe(
      '[/p][a]\nvariable hi\nbody BODY\nfile hello file\n',
    )
    expect((await app.get('/?exit')).status).toBe(500)
    expect(app.log.at(-1)?.text).toMatch(/exited with 3/)
  })

  it('is no component for a trigger of another executor', async () => {
    await expect(start(guest('program'))).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(/exports no supported handler.*wasi:cli\/run@0\.2\.0/),
    })
  })
})

const VECTOR = new URL('../../../shared/vectors/guests/rust-sdk3/core.wasm', import.meta.url)

describe('a Rust component of spin-sdk 3.1.1, as Spin 2.0 to 3.6 built it', () => {
  if (!existsSync(VECTOR))
    return it('answers', (context) => context.skip('no ../shared/vectors/guests'))
  const wasm = new Uint8Array(readFileSync(VECTOR))

  it('answers', async () => {
    const app = await start(wasm)
    expect(await answerOf(app, '/hello')).toEqual([
      200,
      [['content-type', 'text/plain']],
      'Hello from Rust SDK',
    ])
    expect(await app.text('/vars')).toBe(`Ok("hi") Err("Error::Undefined(\\"nope\\")")`)
    expect(await app.text('/kvjson')).toContain('exists=true keys=["j"]')
    expect(await app.text('/env')).toBe('[("MODE", "test")]')
    expect(await app.text('/ls?/')).toBe('["/a/b.txt:10"]')
    expect(await app.text('/echo', { method: 'POST', body: 'back' })).toBe('back')
    expect((await app.get('/panic')).status).toBe(500)
    expect(app.log.map(({ text }) => text)).toContain('about to panic')
  })
})
