import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { describe, expect, it } from 'vitest'
import { cpuTime } from '../../fixtures/cpu-time.ts'
import { isSpindleError } from '../../../src/errors.ts'
import { compileComponent } from '../../../src/run/component/compile.ts'
import { instantiateComponent } from '../../../src/run/component/instantiate.ts'
import { parseComponent, wasmKind } from '../../../src/run/component/binary/parse.ts'
import { codecOf, createScope } from '../../../src/run/component/abi/types.ts'

const HEAD = [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]
const component = (...sections: number[][]): Uint8Array =>
  Uint8Array.from([...HEAD, ...sections.flat()])

const leb = (value: number): number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)]

const refusal = (bytes: Uint8Array): unknown => {
  try {
    return parseComponent(bytes)
  } catch (error) {
    return error
  }
}

describe('parseComponent', () => {
  it.each([
    ['an empty file', Uint8Array.of(), /0 left/],
    [
      'another format',
      Uint8Array.from([...'#!/bin/sh'].map((c) => c.charCodeAt(0))),
      /not a component/,
    ],
    [
      'a core module',
      Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]),
      /core module, not a component/,
    ],
    ['an older draft', Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0c, 0, 1, 0]), /0d 00 01 00/],
    ['an unknown section', component([13, 0]), /unknown section 13 \(at byte 10\)/],
    ['a section beyond the end', component([1, 100]), /100 bytes announced, 0 left \(at byte 10\)/],
    ['a size of six bytes', component([1, 0xff, 0xff, 0xff, 0xff, 0xff, 0]), /number is too large/],
    [
      'a count beyond the section',
      component([7, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]),
      /4294967295 items announced, 0 bytes left/,
    ],
    ['bytes left over', component([7, 2, 0, 0]), /left over \(at byte 11\)/],
    ['a core module that is none', component([1, 1, 0]), /holds no core module/],
    ['an unknown type', component([7, 2, 1, 0x20]), /unknown type 0x20 \(at byte 12\)/],
    ['an empty record', component([7, 3, 1, 0x72, 0]), /record is empty/],
    ['a name that is not UTF-8', component([10, 5, 1, 0, 1, 0xff, 1]), /name is not UTF-8/],
    ['a label in two cases', component([7, 6, 1, 0x6d, 1, 2, 0x61, 0x42]), /"aB" is no label/],
    ['two equal labels', component([7, 7, 1, 0x6d, 2, 1, 0x61, 1, 0x41]), /enum repeats a name/],
    [
      'a bad option',
      component([8, 6, 1, 0, 0, 0, 1, 0x55]),
      /canonical option 0x55|unexpected end/,
    ],
    [
      'a nested component cut short',
      component([4, 4, 0, 0x61, 0x73, 0x6d]),
      /8 bytes announced, 4 left/,
    ],
  ])('refuses %s, and says where', (_, bytes, message) => {
    expect(refusal(bytes)).toMatchObject({ message: expect.stringMatching(message) })
    expect(isSpindleError(refusal(bytes))).toBe(true)
  })

  it.each([
    ['a-1', true],
    ['A1-b2-3C', true],
    ['a-', false],
    ['-a', false],
    ['1a', false],
    ['a--b', false],
    ['a-bC', false],
    ['', false],
  ])('takes %j for a label or not', (label, isLabel) => {
    const name = [...label].map((c) => c.charCodeAt(0))
    const refused = refusal(component([7, 4 + name.length, 1, 0x6d, 1, name.length, ...name]))
    expect(isSpindleError(refused)).toBe(!isLabel)
  })

  it('is quick with hostile labels', () => {
    const name = [...`a${'-1'.repeat(60)}!`].map((c) => c.charCodeAt(0))
    const started = cpuTime()
    expect(
      refusal(component([7, 4 + name.length, 1, 0x6d, 1, name.length, ...name])),
    ).toMatchObject({ message: expect.stringMatching(/is no label/) })
    expect(cpuTime() - started).toBeLessThan(1000)
  })

  it('refuses what is nested without end', () => {
    let bytes = component()
    for (let i = 0; i < 120; i++) {
      const size = [(bytes.length & 0x7f) | 0x80, (bytes.length >> 7) & 0x7f]
      bytes = component([4, ...size, ...bytes])
    }
    expect(refusal(bytes)).toMatchObject({
      code: 'ERR_CONTENT_INVALID',
      message: expect.stringMatching(/nested too deep/),
    })
  })

  it('refuses types nested without end when they are used', async () => {
    const types = Array.from({ length: 150 }, (_, i) => `(type $t${i + 1} (list $t${i}))`).join(' ')
    const compiled = await compileComponent(
      parseComponent(
        await parse(`(component (type $t0 u8) ${types}
      (import "f" (func $f (param "x" $t150)))
      (core module $M (memory (export "m") 1)) (core instance $m (instantiate $M)) (alias core export $m "m" (core memory $mem))
      (core func $g (canon lower (func $f) (memory $mem)))
      (core module $N (import "" "g" (func $g (param i32 i32))) (func (export "run") (call $g (i32.const 0) (i32.const 0))))
      (core instance $n (instantiate $N (with "" (instance (export "g" (func $g))))))
      (alias core export $n "run" (core func $run))
      (func (export "run") (canon lift (core func $run))))`),
      ),
    )
    const app = await instantiateComponent(compiled, {
      jspi: false,
      imports: () => ({ functions: { f: () => {} } }),
    })
    await expect(app.call(['run'])).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })

  it('refuses more definitions than memory holds well, however few bytes each has', () => {
    const half = (count: number): number[] => [
      7,
      ...leb(count + leb(count).length),
      ...leb(count),
      ...new Array<number>(count).fill(0x7f),
    ]
    const refused = refusal(Uint8Array.from([...HEAD, ...half(600_000), ...half(600_000)]))
    expect(refused).toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
      message: expect.stringMatching(/more than 1000000 definitions .*\(at byte \d+\)$/),
    })
  })

  it('takes a type with more parts than a call has arguments', () => {
    const parts = 200_000
    const tuple = [0x6f, ...leb(parts), ...new Array<number>(parts).fill(0x7d)]
    const type = [1, ...tuple]
    const { definitions } = parseComponent(
      Uint8Array.from([...HEAD, 7, ...leb(type.length), ...type]),
    )
    const [first] = definitions
    const scope = createScope(undefined, { common: new Map(), own: new Map(), steps: 0 })
    if (first?.kind === 'type') scope.types.push({ kind: 'scoped', def: first.def, scope })
    expect(codecOf(0, scope)).toMatchObject({ size: parts, align: 1 })
  })

  it('refuses what is larger than the limit', () => {
    expect(() => parseComponent(component(), { maxBytes: 7 })).toThrow(
      /8 bytes, more than the limit of 7/,
    )
  })

  it('tells components from modules and from neither', () => {
    expect(wasmKind(component())).toBe('component')
    expect(wasmKind(Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]))).toBe('module')
    expect(wasmKind(Uint8Array.of(1, 2))).toBe('neither')
  })
})
