import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { describe, expect, it } from 'vitest'
import { compileCore } from '../../../src/run/component/compile.ts'

// Valid modules, each with one feature that some engine here has not: Node 20 has none but tail calls.
const MODULES: ReadonlyArray<readonly [feature: string, text: string]> = [
  [
    'extended constant expressions',
    '(module (global i32 (i32.add (i32.const 1) (i32.mul (i32.const 2) (i32.const 3)))))',
  ],
  [
    'extended constant expressions',
    '(module (memory 1) (data (i32.sub (i32.const 9) (i32.const 1)) "x"))',
  ],
  [
    'extended constant expressions',
    '(module (table 9 funcref) (func $f) (elem (offset (i32.add (i32.const 1) (i32.const 1))) $f))',
  ],
  ['more than one memory', '(module (memory 1) (memory 1))'],
  ['tail calls', '(module (func $f) (func return_call $f))'],
  [
    'relaxed vector instructions',
    '(module (func (param v128 v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 1))))',
  ],
  ['exceptions with references (exnref)', '(module (func (try_table (nop))))'],
  [
    'typed function references',
    '(module (type $t (func)) (func (param (ref $t)) (call_ref $t (local.get 0))))',
  ],
]

describe('a module that is valid', () => {
  it.each(MODULES)('with %s compiles, or the engines are named that can', async (feature, text) => {
    const bytes = await parse(text)
    const compiled = compileCore(bytes)
    if (WebAssembly.validate(bytes as Uint8Array<ArrayBuffer>)) {
      expect(await compiled).toBeInstanceOf(WebAssembly.Module)
      return
    }
    await expect(compiled).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining(`uses ${feature}`),
    })
    await expect(compiled).rejects.toThrow(/Node\.js 2\d/)
  })
})

describe('a module that is invalid in every engine', () => {
  it.each([
    ['takes a value that is not there', '(module (func drop))'],
    ['gives another type than it says', '(module (func (result i32) (i64.const 1)))'],
  ])('%s: it is broken, no engine is named', async (_, text) => {
    await expect(compileCore(await parse(text))).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
      message: expect.stringMatching(/^a core module is invalid/),
    })
  })
})
