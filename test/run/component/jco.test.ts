import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { describe, expect, it } from 'vitest'
import { parseComponent } from '../../../src/run/component/binary/parse.ts'
import { startBinary } from './start.ts'
import { throughJco } from './through-jco.ts'

type Exports = Readonly<Record<string, (...args: unknown[]) => unknown>>
async function throughLinker(
  component: Uint8Array,
  f: (value: unknown) => unknown,
): Promise<(value: unknown) => Promise<unknown>> {
  const instance = await startBinary(component, { f })
  return (value) => instance.call(['g'], value)
}

/** Hands its argument to an import and that one's result back. `flat` are the core types. */
const echo = (type: string, flat: string): string => {
  const count = flat.split(' ').length
  const spilled = count > 16
  const params = spilled ? 'i32' : flat
  const pass = Array.from({ length: spilled ? 1 : count }, (_, i) => `local.get ${i}`).join(' ')
  return `(component
    (import "f" (func $f (param "x" ${type}) (result ${type})))
    (core module $L (memory (export "mem") 4) (global $top (mut i32) (i32.const 64))
      (func (export "realloc") (param i32 i32 i32 i32) (result i32)
        (global.set $top (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
        (global.get $top) (global.set $top (i32.add (global.get $top) (local.get 3)))))
    (core instance $l (instantiate $L))
    (alias core export $l "mem" (core memory $mem)) (alias core export $l "realloc" (core func $realloc))
    (core func $f (canon lower (func $f) (memory $mem) (realloc $realloc)))
    (core module $M (import "" "f" (func $f (param ${count > 1 ? `${params} i32` : params}) (result ${count > 1 ? '' : flat})))
      (func (export "g") (param ${params}) (result ${count > 1 ? 'i32' : flat})
        ${count > 1 ? `${pass} i32.const 32 call $f i32.const 32` : `${pass} call $f`}))
    (core instance $m (instantiate $M (with "" (instance (export "f" (func $f))))))
    (alias core export $m "g" (core func $g))
    (func (export "g") (param "x" ${type}) (result ${type}) (canon lift (core func $g) (memory $mem) (realloc $realloc))))`
}

describe('beside jco', () => {
  it.each([
    ['(tuple u8 s16 u64 f32)', 'i32 i32 i64 f32', [255, -2, 2n ** 60n, 0.5]],
    [
      '(list (tuple string (option u32)))',
      'i32 i32',
      [
        ['a', 1],
        ['ü😀', undefined],
      ],
    ],
    ['(option (option bool))', 'i32 i32 i32', { tag: 'some', val: undefined }],
    [
      '(tuple (result u8 (error string)) (result (error f64)))',
      'i32 i32 i32 i32 f64',
      [
        { tag: 'err', val: 'no' },
        { tag: 'err', val: 1.5 },
      ],
    ],
    ['(list u8)', 'i32 i32', Uint8Array.of(1, 2, 3)],
    ['char', 'i32', '\u{1f600}'],
    [
      '(tuple (result u64 (error f32)) (list (list s8)))',
      'i32 i64 i32 i32',
      [{ tag: 'err', val: 2.5 }, [[-1], [], [2, 3]]],
    ],
    [
      `(tuple ${'u16 '.repeat(17)})`,
      `${'i32 '.repeat(17).trim()}`,
      Array.from({ length: 17 }, (_, i) => i),
    ],
  ])('%s is the same to the host', async (type, flat, value) => {
    const component = await parse(echo(type, flat))
    const seen: unknown[] = []
    const f = (x: unknown): unknown => {
      seen.push(x)
      return x
    }
    const plain = (x: unknown): unknown =>
      JSON.parse(
        JSON.stringify(x, (_, v: unknown) =>
          typeof v === 'bigint' ? `${v}n` : ArrayBuffer.isView(v) ? [...(v as Uint8Array)] : v,
        ) ?? 'null',
      )
    const jco = await throughJco<Exports>(component, { f: { default: f } })
    const theirs = jco['g']?.(value)
    const ours = await (await throughLinker(component, f))(value)
    expect(plain(ours)).toEqual(plain(theirs))
    expect(plain(seen[1])).toEqual(plain(seen[0]))
    expect(ours).toEqual(value)
  })

  it('more than 32 flags are nothing that a component may have', async () => {
    const flags = Array.from({ length: 33 }, (_, i) => `"l${i}"`)
    const wat = (labels: readonly string[]): string =>
      `(component (type $t (flags ${labels.join(' ')})))`
    const most = await parse(wat(flags.slice(1)))
    expect(parseComponent(most)).toBeDefined()
    expect(await throughJco(most, {})).toBeDefined()
    const tooMany = await parse(wat(flags))
    expect(() => parseComponent(tooMany)).toThrow(/not supported: more than 32 flags/)
    await expect(throughJco(tooMany, {})).rejects.toThrow('cannot have more than 32 flags')
  })
})
