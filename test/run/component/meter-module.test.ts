import { readdirSync } from 'node:fs'
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { describe, expect, it } from 'vitest'
import { coreModules } from '../../../src/run/component/compile.ts'
import { meterModule, METER } from '../../../src/run/component/binary/meter-module.ts'
import { costOf } from '../../../src/run/component/binary/module-cost.ts'
import { parseComponent, wasmKind } from '../../../src/run/component/binary/parse.ts'
import { readModule } from '../../../src/run/component/binary/read-module.ts'
import { bytesOfFile } from '../fixtures.ts'

const guests = readdirSync(new URL('../../guests/', import.meta.url)).filter((name) =>
  name.endsWith('.wasm'),
)

function modulesOf(name: string): Uint8Array[] {
  const bytes = bytesOfFile(`test/guests/${name}`)
  return wasmKind(bytes) === 'component'
    ? coreModules(parseComponent(bytes)).map((module) => module.bytes)
    : [bytes]
}

type Exports = Record<string, (...args: number[]) => number>

/** An instance of a metered module that may have so many pages more. */
async function start(text: string, pages: number, maxBytes?: number) {
  const asked: number[] = []
  let left = pages
  const grow = (count: number): number => {
    asked.push(count)
    if (count > left) return 0
    left -= count
    return 1
  }
  const module = new WebAssembly.Module(
    meterModule(await parse(text), maxBytes) as Uint8Array<ArrayBuffer>,
  )
  const imports = { [METER.module]: { [METER.name]: grow }, host: { twice: (n: number) => 2 * n } }
  const { exports } = new WebAssembly.Instance(module, imports)
  return { module, exports: exports as unknown as Exports, asked }
}

// Whatever names the first function: calls, elements, globals, exports, the start.
const NAMED = `(module
  (import "host" "twice" (func $twice (param i32) (result i32)))
  (type $unary (func (param i32) (result i32)))
  (memory (export "memory") 1 4)
  (table $t 3 funcref)
  (global $g funcref (ref.func $first))
  (global $n (mut i32) (i32.const 0))
  (func $first (export "first") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func $second (export "second") (param i32) (result i32) (call $twice (local.get 0)))
  (func (export "third") (param i32) (result i32)
    (if (i32.eq (local.get 0) (i32.const 64)) (then unreachable))
    (call $first (call $second (local.get 0))))
  (func (export "tail") (param i32) (result i32) (i32.add (i32.const 64) (call $first (local.get 0))))
  (func (export "indirect") (param i32 i32) (result i32)
    (call_indirect (type $unary) (local.get 1) (local.get 0)))
  (func (export "global") (param i32) (result i32)
    (table.set $t (i32.const 2) (global.get $g))
    (call_indirect (type $unary) (local.get 0) (i32.const 2)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "size") (result i32) (memory.size))
  (func $start (global.set $n (call $first (i32.const 40))))
  (func (export "started") (result i32) (global.get $n))
  (start $start)
  (elem (i32.const 0) func $first $second))`

describe('a metered module', () => {
  it.each(guests)('is valid, and asks wherever it grew by itself: %s', (name) => {
    for (const module of modulesOf(name)) {
      const grew = readModule(module, Infinity)
      const metered = meterModule(module)
      const compiled = new WebAssembly.Module(metered as Uint8Array<ArrayBuffer>)
      const now = readModule(metered, Infinity)
      const grows = grew.bodies.some(({ growths }) => growths.length > 0)
      const own = now.bodies.length - grew.bodies.length
      expect(own).toBe(grows ? grew.memories.length : 0)
      // The functions that ask come last; none before them grows anything.
      const before = now.bodies.slice(0, now.bodies.length - own)
      expect(before.flatMap(({ growths }) => growths)).toEqual([])
      expect(WebAssembly.Module.imports(compiled).some((one) => one.module === METER.module)).toBe(
        grows,
      )
      expect(WebAssembly.Module.exports(compiled)).toEqual(
        WebAssembly.Module.exports(new WebAssembly.Module(module as Uint8Array<ArrayBuffer>)),
      )
      expect(costOf(compiled)?.bytes).toBeGreaterThan(0)
    }
  })

  it('does what it did, though its first function has moved', async () => {
    const { exports } = await start(NAMED, 100)
    const call = (name: string, ...args: number[]): unknown => exports[name]?.(...args)
    expect(call('first', 1)).toBe(2)
    expect(call('second', 4)).toBe(8)
    expect(call('third', 4)).toBe(9)
    expect(call('tail', 1)).toBe(66)
    expect(call('indirect', 0, 5)).toBe(6)
    expect(call('indirect', 1, 5)).toBe(10)
    expect(call('global', 7)).toBe(8)
    expect(call('started')).toBe(41)
  })

  it('grows as far as it may, and sees a refusal as it would any', async () => {
    const { exports, asked } = await start(NAMED, 2)
    expect([1, 2, 1, 1].map((pages) => exports['grow']?.(pages))).toEqual([1, -1, 2, -1])
    expect(exports['size']?.()).toBe(3)
    expect(asked).toEqual([1, 2, 1, 1])
  })

  it('does not ask for what its own maximum refuses', async () => {
    const { exports, asked } = await start(NAMED, 100)
    expect([4, -1, 3, 1].map((pages) => exports['grow']?.(pages))).toEqual([-1, -1, 1, -1])
    expect(asked).toEqual([3])
  })

  it('can’t grow beyond the limit of a memory, whatever it is granted', async () => {
    const { exports } = await start(NAMED, 100, 2 * 65_536)
    expect([1, 1].map((pages) => exports['grow']?.(pages))).toEqual([1, -1])
  })

  it('does not say itself what it costs', async () => {
    const text = `(module (@custom "spindle.cost" "{\\"bytes\\":0,\\"tables\\":[]}") (memory 10))`
    const { module } = await start(text, 0)
    expect(WebAssembly.Module.customSections(module, 'spindle.cost')).toHaveLength(1)
    expect(costOf(module)?.bytes).toBeGreaterThan(10 * 65_536)
  })

  it('pays for all that its table may grow to', async () => {
    const cost = async (text: string): Promise<number> =>
      costOf((await start(text, 0)).module)?.bytes ?? 0
    expect(await cost('(module (table 1000000 1000000 funcref))')).toBeGreaterThan(32_000_000)
    const { exports } = await start(
      `(module (table $t 10 externref) (func (export "grow") (param i32) (result i32)
        (table.grow $t (ref.null extern) (local.get 0))))`,
      0,
    )
    expect(exports['grow']?.(65_537)).toBe(-1)
    expect(exports['grow']?.(65_536)).toBe(10)
  })

  it.each([
    ['a struct', '(module (type (struct (field i32))))'],
    ['an array', '(module (type (array i32)))'],
    ['a 64-bit memory', '(module (memory i64 1))'],
    ['a shared memory', '(module (memory 1 2 shared))'],
    ['a 64-bit table', '(module (table i64 1 funcref))'],
    ['a table of exceptions', '(module (table 1 exnref))'],
    ['a table of anything', '(module (table 1 anyref))'],
    ['an exception that holds another', '(module (tag (param exnref)))'],
    ['an exception that holds much', '(module (tag (param i64 i64 i32)))'],
    ['an imported one', '(module (import "a" "b" (tag (param v128 i32))))'],
  ])('is refused where it could grow otherwise: %s', async (_, text) => {
    const module = await parse(text)
    expect(() => meterModule(module)).toThrow(
      expect.objectContaining({
        code: 'ERR_UNSUPPORTED',
        message: expect.stringMatching(/can't be limited/),
      }),
    )
  })

  it('is refused where a memory begins with more than the limit', async () => {
    const module = await parse('(module (memory 3))')
    expect(() => meterModule(module, 2 * 65_536)).toThrow(
      expect.objectContaining({
        code: 'ERR_LIMIT_EXCEEDED',
        message: expect.stringMatching(/maxMemory.*--max-memory/),
      }),
    )
  })

  it('is read to its last byte, whatever its instructions', async () => {
    // One function that grows its memory in the midst of all kinds of operands.
    const module = await parse(`(module (memory 1) (table 1 funcref) (tag $t (param i32))
      (type $f (func)) (data $d "x") (func $g) (elem $e func $g)
      (func (param i32 i64 f32 f64 v128 funcref) (result i32)
        (drop (i64.const -9223372036854775808)) (drop (f32.const 2)) (drop (f64.const 3))
        (drop (v128.const i8x16 64 0 64 0 64 0 64 0 64 0 64 0 64 0 64 0))
        (drop (i8x16.shuffle 16 0 16 0 16 0 16 0 16 0 16 0 16 0 16 0 (local.get 4) (local.get 4)))
        (drop (i8x16.extract_lane_s 3 (local.get 4)))
        (drop (v128.load8_lane offset=64 1 (local.get 0) (local.get 4)))
        (drop (i64.load offset=64 (local.get 0)))
        (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)) (data.drop $d)
        (memory.copy (i32.const 0) (i32.const 0) (i32.const 0))
        (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))
        (table.init $e (i32.const 0) (i32.const 0) (i32.const 0)) (elem.drop $e)
        (drop (table.grow (ref.null func) (i32.const 0))) (drop (table.size))
        (block $a (block $b (br_table $a $b $a (local.get 0))))
        (drop (select (result i32) (local.get 0) (local.get 0) (local.get 0)))
        (drop (ref.is_null (ref.func $g))) (drop (i32.trunc_sat_f32_s (local.get 2)))
        (drop (i32.atomic.load (i32.const 0))) (atomic.fence)
        (block $h (try_table (catch_all $h) (throw $t (i32.const 64))))
        (call_indirect (type $f) (i32.const 0))
        (drop (i32x4.relaxed_trunc_f32x4_s (local.get 4)))
        (memory.grow (memory.grow (local.get 0)))))`)
    const { bodies } = readModule(module, Infinity)
    expect(bodies.at(-1)?.growths).toHaveLength(2)
    expect(bodies.at(-1)?.firsts).toHaveLength(1)
  })
})
