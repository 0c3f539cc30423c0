import { describe, expect, it } from 'vitest'
import type { ComponentInstance } from '../../../src/run/component/instantiate.ts'
import { lifted } from './lifted.ts'
import { start } from './start.ts'

/** One core function `f` with memory, lifted as `type`. */
const single = (body: string, type: string, options = '', extra = ''): string => `(component
  (core module $M (memory (export "mem") 1) ${extra}
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "f") ${body}))
  (core instance $m (instantiate $M))
  (alias core export $m "mem" (core memory $mem))
  (alias core export $m "realloc" (core func $realloc))
  ${lifted('f', 'f', type, `(memory $mem) (realloc $realloc) ${options}`)})`

const at16 = (first: number, second: number): string =>
  `(result i32) (i32.store (i32.const 16) (i32.const ${first})) (i32.store (i32.const 20) (i32.const ${second})) (i32.const 16)`

/** `g` calls what the host gives it for `f`. */
const CALLS_OUT = `(component
  (import "f" (func $f))
  (core func $f (canon lower (func $f)))
  (core module $M (import "" "f" (func $f)) (func (export "g") (call $f)))
  (core instance $m (instantiate $M (with "" (instance (export "f" (func $f))))))
  ${lifted('g', 'g', '')})`

describe('what a component may not do', () => {
  it.each([
    ['a string outside memory', at16(65530, 10), '(result string)', '', /outside memory/],
    [
      'a string longer than any',
      at16(0, -1),
      '(result string)',
      '',
      /a string of 4294967295 bytes/,
    ],
    [
      'a string that is not UTF-8',
      `(result i32) (i32.store8 (i32.const 32) (i32.const 255)) ${at16(32, 1).slice(12)}`,
      '(result string)',
      '',
      /not utf-8/,
    ],
    [
      'UTF-16 at an odd place',
      at16(33, 1),
      '(result string)',
      'string-encoding=utf16',
      /not aligned to 2/,
    ],
    ['a list outside memory', at16(0, 0x10000), '(result (list u32))', '', /outside memory/],
    ['a list at an odd place', at16(2, 1), '(result (list u32))', '', /not aligned to 4/],
    [
      'a result outside memory',
      '(result i32) (i32.const -8)',
      '(result (tuple u32 u32))',
      '',
      /outside memory/,
    ],
    [
      'a surrogate as a character',
      '(result i32) (i32.const 0xd800)',
      '(result char)',
      '',
      /0xd800 is no character/,
    ],
    [
      'a case that the variant lacks',
      '(result i32) (i32.const 3)',
      '(result (enum "a" "b" "c"))',
      '',
      /case 3 of a enum that has 3/,
    ],
    ['unreachable', '(result i32) unreachable', '(result u32)', '', /unreachable/],
    ['endless recursion', '(result i32) (call 1)', '(result u32)', '', /Maximum call stack|stack/],
  ])('%s traps', async (_, body, type, options, message) => {
    const app = await start(single(body, type, options))
    await expect(app.call(['f'])).rejects.toMatchObject({
      code: 'ERR_TRAP',
      message: expect.stringMatching(message),
    })
    await expect(app.call(['f'])).rejects.toThrow(/trapped before/)
  })

  it('an allocator that gives room outside memory traps', async () => {
    const app = await start(
      single('(param i32 i32)', '(param "x" string)').replace(
        '(i32.const 1024)',
        '(i32.const 65535)',
      ),
    )
    await expect(app.call(['f'], 'long enough')).rejects.toThrow(/outside memory/)
  })

  it('calling out while it allocates traps', async () => {
    const app = await start(
      `(component
      (import "f" (func $f))
      (core func $f (canon lower (func $f)))
      (core module $M (import "" "f" (func $f)) (memory (export "mem") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (call $f) (i32.const 1024))
        (func (export "g") (param i32 i32)))
      (core instance $m (instantiate $M (with "" (instance (export "f" (func $f))))))
      (alias core export $m "mem" (core memory $mem)) (alias core export $m "realloc" (core func $realloc))
      ${lifted('g', 'g', '(param "x" string)', '(memory $mem) (realloc $realloc)')})`,
      { f: () => {} },
    )
    await expect(app.call(['g'], 'x')).rejects.toThrow(/called where nothing may be called/)
  })

  it('calling itself through the host traps', async () => {
    const late: { app?: ComponentInstance } = {}
    late.app = await start(CALLS_OUT, {
      f: () => {
        void late.app?.call(['g']).catch(() => {})
      },
    })
    await expect(late.app.call(['g'])).rejects.toThrow(/called while its component runs/)
  })

  it('waiting without JSPI names the engines that can', async () => {
    const app = await start(CALLS_OUT, { f: async () => {} })
    await expect(app.call(['g'])).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(/Node\.js 24, Chromium 137, Firefox 153/),
    })
  })
})
