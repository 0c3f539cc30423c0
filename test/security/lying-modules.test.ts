// Core modules whose `component-type` sections do not match them, or match nothing.
import { describe, expect, it } from 'vitest'
import { createAppHandler, type LogLine } from '../../src/run/index.ts'
import { bytesOfFile, pulledApp } from '../run/fixtures.ts'
import {
  asOldFormat,
  moduleOf,
  typedModule,
  typeSections,
  untyped,
  witOf,
  withSections,
  worldSection,
  type StringEncoding,
} from '../run/typed-modules.ts'

const EXPORT = 'export fermyon:spin/inbound-http;'
const HANDLE = 'fermyon:spin/inbound-http#handle-request'
const TEN = Array.from({ length: 10 }, () => 'i32').join(' ')

interface Parts {
  readonly imports?: string
  readonly memory?: string
  readonly realloc?: string
  readonly handle?: string
  readonly body?: string
  readonly more?: string
}

/** A module that answers 200 to every request, where nothing else is said. */
const wat = ({
  imports = '',
  memory = '(export "memory" (memory 0))',
  realloc = '(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)',
  handle = `(export "${HANDLE}") (param ${TEN}) (result i32)`,
  body = 'i32.const 64',
  more = '',
}: Parts = {}): string => `(module ${imports} (memory 1) ${memory} ${realloc}
  (func ${handle} ${body}) (data (i32.const 64) "\\c8\\00") ${more})`

const create = (wasm: Uint8Array, log: LogLine[] = [], options = {}) =>
  createAppHandler(pulledApp({ guest: { wasm } }, [{ route: '/...', component: 'guest' }]), {
    onLog: (line) => log.push(line),
    ...options,
  })

const expectRefused = async (
  wasm: Uint8Array,
  message: RegExp,
  code = 'ERR_CONTENT_INVALID',
): Promise<void> => {
  await expect(create(wasm)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  })
}

/** Loads, and traps at the first request. */
const expectTrap = async (wasm: Uint8Array, said: RegExp): Promise<void> => {
  const log: LogLine[] = []
  const app = await create(wasm, log)
  const get = (): Promise<Response> => app.fetch(new Request('http://app.example/'))
  expect((await get()).status).toBe(500)
  expect(log.map(({ text }) => text).join()).toMatch(said)
  expect((await get()).status).toBe(500)
}

it('an honest module answers', async () => {
  const app = await create(await typedModule(wat(), EXPORT))
  expect((await app.fetch(new Request('http://app.example/'))).status).toBe(200)
})

describe('a module that lacks what its world says is refused by name', () => {
  it.each<[string, Parts, RegExp]>([
    [
      'the export',
      { handle: '' },
      /world exports "fermyon:spin\/inbound-http#handle-request", but the module exports no function/,
    ],
    [
      'parameters of the export',
      { handle: `(export "${HANDLE}") (param i32) (result i32)` },
      /exports "fermyon.*handle-request" as \(i32\) -> \(i32\), but by its world it is/,
    ],
    [
      'the export’s result',
      { handle: `(export "${HANDLE}") (param ${TEN}) (result i64)`, body: 'i64.const 0' },
      /as .* -> \(i64\), but/,
    ],
    [
      'a function behind the export',
      { handle: '', more: `(global i32 (i32.const 0)) (export "${HANDLE}" (global 0))` },
      /exports no function/,
    ],
    ['the memory', { memory: '' }, /exports no memory "memory", which .*handle-request" needs/],
    [
      'a memory of that name',
      { memory: '(global i32 (i32.const 0)) (export "memory" (global 0))' },
      /exports no memory "memory"/,
    ],
    ['the allocator', { realloc: '' }, /exports no function "cabi_realloc"/],
    [
      'an allocator of the type',
      { realloc: '(func (export "cabi_realloc") (param i32) (result i32) i32.const 0)' },
      /exports "cabi_realloc" as \(i32\) -> \(i32\), but/,
    ],
    [
      'a post-return of the type',
      { more: `(func (export "cabi_post_${HANDLE}") (param i64))` },
      /cabi_post_.* as \(i64\) -> \(\), but/,
    ],
    [
      'an initializer of the type',
      { more: '(func (export "_initialize") (param i32))' },
      /"_initialize" as \(i32\) -> \(\), but/,
    ],
  ])('%s', async (_, parts, message) => {
    await expectRefused(await typedModule(wat(parts), EXPORT), message)
  })
})

describe('an import that no world has is refused by name', () => {
  const get = '(func (param i32 i32 i32))'
  it.each<[string, string, string, RegExp, string?]>([
    [
      'of an interface',
      `(import "test:none/none" "get" ${get})`,
      '',
      /imports "test:none\/none"."get", but its world imports no "test:none\/none"/,
    ],
    [
      'of a function',
      `(import "fermyon:spin/variables@2.0.0" "set" ${get})`,
      'import fermyon:spin/variables@2.0.0;',
      /variables@2\.0\.0"."set", but its world imports no such function/,
    ],
    [
      'of another type',
      '(import "fermyon:spin/variables@2.0.0" "get" (func (param i64 i32 i32)))',
      'import fermyon:spin/variables@2.0.0;',
      /"get" as \(i64, i32, i32\) -> \(\), but by its world it is \(i32, i32, i32\) -> \(\)/,
    ],
    [
      'of another version',
      `(import "fermyon:spin/variables@2.0.1" "get" ${get})`,
      'import fermyon:spin/variables@2.0.0;',
      /world imports no "fermyon:spin\/variables@2\.0\.1"/,
    ],
    [
      'of a resource',
      '(import "fermyon:spin/key-value@2.0.0" "[resource-drop]shop" (func (param i32)))',
      'import fermyon:spin/key-value@2.0.0;',
      /no such resource/,
    ],
    [
      'of the host’s resource, to make one',
      '(import "fermyon:spin/key-value@2.0.0" "[resource-new]store" (func (param i32) (result i32)))',
      'import fermyon:spin/key-value@2.0.0;',
      /no such resource/,
    ],
    [
      'of a built-in of an export',
      '(import "[export]fermyon:spin/inbound-http" "anything" (func))',
      '',
      /no such built-in/,
    ],
    [
      'of an export that is not there',
      '(import "[export]test:none/none" "[task-return]x" (func))',
      '',
      /world exports no "test:none\/none"/,
    ],
    [
      'of a stream that is not there',
      '(import "fermyon:spin/variables@2.0.0" "[stream-new-0]get" (func (result i64)))',
      'import fermyon:spin/variables@2.0.0;',
      /no such stream/,
    ],
    ['of the root', '(import "$root" "call" (func))', '', /no such function/],
    ['of env', '(import "env" "call" (func))', '', /imports "env"\."call"/],
    [
      'of the meter of memory',
      '(import "spindle:budget" "grow" (func (param i32) (result i32)))',
      '',
      /imports "spindle:budget"\."grow"/,
    ],
    [
      'of a memory',
      '(import "env" "memory" (memory 1))',
      '',
      /imports the memory "env"\."memory"/,
      'ERR_UNSUPPORTED',
    ],
    [
      'of threads',
      '(import "$root" "[thread-index]" (func (result i32)))',
      '',
      /not supported.*thread-index/,
      'ERR_UNSUPPORTED',
    ],
    [
      'of a function that preview1 lacks',
      '(import "wasi_snapshot_preview1" "fd_format" (func (param i32) (result i32)))',
      '',
      /"fd_format", which wasi_snapshot_preview1 does not have/,
    ],
    [
      'of preview1 by another type',
      '(import "wasi_snapshot_preview1" "fd_close" (func (param i64) (result i32)))',
      '',
      /"fd_close" as \(i64\) -> \(i32\), but/,
    ],
    [
      'of the older preview0',
      '(import "wasi_unstable" "fd_close" (func (param i32) (result i32)))',
      '',
      /imports "wasi_unstable"\."fd_close"/,
    ],
  ])('%s', async (_, imports, world, message, code) => {
    await expectRefused(
      await typedModule(wat({ imports, ...ONE_MEMORY(imports) }), world + EXPORT),
      message,
      code,
    )
  })

  it('or that this host lacks', async () => {
    const imports = '(import "test:none/none" "call" (func))'
    const none = 'package test:none { interface none { call: func(); } }'
    const world = await worldSection(witOf(`import test:none/none; ${EXPORT}`, none))
    const wasm = withSections(await moduleOf(wat({ imports })), [['component-type', world]])
    await expectRefused(
      wasm,
      /imports what this host doesn't know: test:none\/none/,
      'ERR_UNSUPPORTED',
    )
  })

  it('but a component does not reach preview1 by its name', async () => {
    const wasm = await moduleOf(`(component
      (import "wasi:http/abcdef@0.2.0"
        (instance $it (export "fd_close" (func (param "fd" u32) (result u32)))))
      (export "fermyon:spin/inbound-http" (instance $it)))`)
    const name = new TextEncoder().encode('wasi:http/abcdef@0.2.0')
    const at = wasm.findIndex((_, i) => name.every((byte, j) => wasm[i + j] === byte))
    const renamed = Uint8Array.from(wasm)
    renamed.set(new TextEncoder().encode('wasi_snapshot_preview1'), at)
    await expectRefused(
      renamed,
      /imports what this host doesn't know: wasi_snapshot_preview1/,
      'ERR_UNSUPPORTED',
    )
  })
})

describe('sections that contradict each other are refused', () => {
  const imports = '(import "test:two/two" "call" (func (param i32) (result i32)))'
  const two = (type: string): string => `package test:two { interface two { call: ${type}; } }`
  const both = async (a: string, b: string, encoding?: StringEncoding): Promise<Uint8Array> =>
    withSections(await moduleOf(wat({ imports })), [
      ['component-type:a', await worldSection(witOf(`import test:two/two; ${EXPORT}`, two(a)))],
      ['component-type:b', await worldSection(witOf('import test:two/two;', two(b)), encoding)],
    ])

  it.each<[string, string, string, RegExp, StringEncoding?]>([
    [
      'in types',
      'func(x: u32) -> u32',
      'func(x: s32) -> u32',
      /"test:two\/two"\."call" has other types in the sections "component-type:a" and "component-type:b"/,
    ],
    [
      'in string encodings',
      'func(x: u32) -> u32',
      'func(x: u32) -> u32',
      /other string encodings/,
      'utf16',
    ],
  ])('%s', async (_, a, b, message, encoding) => {
    await expectRefused(await both(a, b, encoding), message)
  })

  it('also for what they export', async () => {
    const wasm = withSections(await moduleOf(wat()), [
      ['component-type:a', await worldSection(witOf(EXPORT))],
      ['component-type:b', await worldSection(witOf(EXPORT), 'utf16')],
    ])
    await expectRefused(
      wasm,
      /"fermyon:spin\/inbound-http"\."handle-request" has other string encodings/,
    )
  })
})

describe('a malformed section is refused by its name', () => {
  const section = worldSection(witOf(EXPORT))
  const withSection = async (content: Uint8Array, name = 'component-type:x'): Promise<Uint8Array> =>
    withSections(await moduleOf(wat()), [[name, content]])

  it('wherever it is cut off', async () => {
    const whole = await section
    const taken: number[] = []
    for (let length = 0; length < whole.length; length++) {
      const outcome = await create(await withSection(whole.subarray(0, length))).catch(
        (error: unknown) => error,
      )
      if (outcome instanceof Error)
        expect(outcome).toMatchObject({
          code: 'ERR_CONTENT_INVALID',
          message: expect.stringMatching(/its section "component-type:x": malformed component/),
        })
      else taken.push(length)
    }
    // Without the last section, which names the tools.
    expect(taken.length).toBe(1)
  })

  it.each<[string, (whole: Uint8Array) => Uint8Array, RegExp, string?]>([
    ['empty', () => new Uint8Array(), /unexpected end/],
    ['a core module', () => Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0), /core module/],
    [
      'an old format of another world',
      (whole) => asOldFormat(whole, 'none'),
      /describes 0 of one world "none"/,
    ],
    [
      'an old format with another encoding',
      (whole) => asOldFormat(whole).fill(9, 1, 2),
      /unknown string encoding 0x9/,
    ],
    [
      'twice the world',
      (whole) => Uint8Array.from([...whole, ...whole.subarray(8)]),
      /describes 2 of one world/,
    ],
  ])('%s', async (_, change, message, code) => {
    await expectRefused(await withSection(change(await section)), message, code)
  })

  it('of another version', async () => {
    const whole = Uint8Array.from(await section)
    const name = [...new TextEncoder().encode('wit-component-encoding')]
    const at = whole.findIndex((_, i) => name.every((byte, j) => whole[i + j] === byte))
    whole[at + name.length] = 5
    await expectRefused(
      await withSection(whole),
      /format 5 of a component-type section/,
      'ERR_UNSUPPORTED',
    )
  })

  it('nested without end', async () => {
    // (component (type (component (type (component …
    let inner: number[] = [0x41, 0]
    for (let i = 0; i < 2000; i++) inner = [0x41, 1, 1, ...inner]
    const body = [1, ...inner]
    const size = [(body.length & 0x7f) | 0x80, body.length >> 7]
    const content = Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0, 7, ...size, ...body])
    await expectRefused(await withSection(content), /nested too deep/)
  })

  it('of more parts than a component may have, in all sections together', async () => {
    // An enum of 16 384 labels takes the most parts for its bytes.
    const labels = Array.from({ length: 16_384 }, (_, i) => `l${i.toString(36)}`)
    const enumeration = `package test:big { interface big { enum big { ${labels.join(', ')} } get: func() -> big; } }`
    const one = await worldSection(witOf('import test:big/big;', enumeration))
    const wasm = withSections(
      await moduleOf(wat()),
      Array.from({ length: 62 }, (_, i) => [`component-type:${i}`, one] as const),
    )
    await expectRefused(wasm, /more than 1000000 definitions/, 'ERR_LIMIT_EXCEEDED')
  })
})

describe('types that multiply', () => {
  it('are gone through so many times only', async () => {
    // Each tuple holds the one before twice: 2^60 places for a stream.
    const tuples = Array.from({ length: 60 }, (_, i) => `type t${i + 1} = tuple<t${i}, t${i}>;`)
    const multiplied = `package test:many { interface many { type t0 = list<u8>; ${tuples.join(' ')} call: func(x: t60); } }`
    const world = await worldSection(witOf(`import test:many/many; ${EXPORT}`, multiplied))
    const imports = '(import "test:many/many" "[stream-new-0]call" (func (result i64)))'
    const wasm = withSections(await moduleOf(wat({ imports })), [['component-type', world]])
    await expectRefused(wasm, /./, 'ERR_LIMIT_EXCEEDED')
  })
})

describe('a module that breaks the rules while it runs is ended', () => {
  const VARIABLES = 'import fermyon:spin/variables@2.0.0;'
  const GET = '(import "fermyon:spin/variables@2.0.0" "get" (func $get (param i32 i32 i32)))'
  const CALL = '(call $get (i32.const 64) (i32.const 1) (i32.const 128))'

  it.each<[string, Parts, RegExp]>([
    [
      'by an allocator that answers outside of its memory',
      {
        realloc:
          '(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const -64)',
      },
      /outside memory/,
    ],
    [
      'by an allocator that does not align',
      {
        realloc:
          '(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.add (i32.const 4096) (i32.eq (local.get 2) (i32.const 4))))',
      },
      /not aligned/,
    ],
    [
      'by an allocator that calls its host',
      {
        realloc: `(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) ${CALL} i32.const 4096)`,
      },
      /called where nothing may be called/,
    ],
    [
      'by an allocator that calls preview1',
      {
        imports: `${GET} (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))`,
        realloc:
          '(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (drop (call $yield)) i32.const 4096)',
      },
      /sched_yield" is called where nothing may be called/,
    ],
    [
      'by an allocator that traps',
      {
        realloc: '(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)',
      },
      /unreachable/,
    ],
    [
      'by a start function that calls its host, before there is memory',
      { more: `(func $start ${CALL}) (start $start)` },
      /no memory is given/,
    ],
    [
      'by a start function that calls preview1',
      {
        imports: `${GET} (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))`,
        more: '(func $start (drop (call $random (i32.const 0) (i32.const 8)))) (start $start)',
      },
      /before it has memory/,
    ],
    ['by its initializer', { more: '(func (export "_initialize") unreachable)' }, /unreachable/],
    [
      'by a result outside of its memory',
      { body: 'i32.const 65533' },
      /outside memory|not aligned/,
    ],
    [
      'by preview1 with pointers outside of its memory',
      {
        imports: `${GET} (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))`,
        body: '(drop (call $random (i32.const 65530) (i32.const 100))) i32.const 64',
      },
      /trapped/,
    ],
    [
      'by what its post-return calls',
      { more: `(func (export "cabi_post_${HANDLE}") (param i32) ${CALL})` },
      /called where nothing may be called/,
    ],
  ])('%s', async (_, parts, said) => {
    await expectTrap(await typedModule(wat({ imports: GET, ...parts }), VARIABLES + EXPORT), said)
  })

  it('pays for what it grows by', async () => {
    const grow =
      '(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) i32.const 64'
    const log: LogLine[] = []
    const wasm = await typedModule(
      wat({ body: `${grow.replace('i32.const 64', '')} unreachable` }),
      EXPORT,
    )
    const app = await create(wasm, log, { maxMemory: 4 * 1024 * 1024 })
    expect((await app.fetch(new Request('http://app.example/'))).status).toBe(500)
    expect(log.at(-1)?.text).toMatch(/ERR_LIMIT_EXCEEDED/)
  })

  it('has no more time in its initializer than in a call', async () => {
    const spin = '(func (export "_initialize") (loop (call $yield) drop (br 0)))'
    const imports = '(import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))'
    const log: LogLine[] = []
    const app = await create(await typedModule(wat({ imports, more: spin }), EXPORT), log, {
      timeout: 50,
    })
    expect((await app.fetch(new Request('http://app.example/'))).status).toBe(500)
    expect(log.at(-1)?.text).toMatch(/ERR_TIMEOUT/)
  })
})

it('random changes to its sections never get past with another error', async () => {
  const wasm = bytesOfFile('test/guests/inbound-core.wasm')
  const [[name, content] = ['', new Uint8Array()]] = typeSections(wasm)
  const module = untyped(wasm)
  let state = 1
  const random = (below: number): number => (state = (state * 48271) % 2147483647) % below
  for (let i = 0; i < 600; i++) {
    const changed = Uint8Array.from(content)
    for (let n = 0; n <= random(3); n++) changed[random(changed.length)] = random(256)
    const outcome = await create(withSections(module, [[name, changed]])).catch(
      (error: unknown) => error,
    )
    if (outcome instanceof Error)
      expect(outcome).toMatchObject({
        code: expect.stringMatching(/^ERR_(?:CONTENT_INVALID|UNSUPPORTED|LIMIT_EXCEEDED)$/),
      })
  }
})

/** A module may have one memory only, which the imported one is then. */
function ONE_MEMORY(imports: string): Parts {
  return imports.includes('(memory') ? { memory: '' } : {}
}
