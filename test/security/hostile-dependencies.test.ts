// A dependency is somebody else's component: one that is damaged or lies about itself is refused
// with a code when it is composed, and never takes more than it weighs.
import { describe, expect, it } from 'vitest'
import { SpindleError } from '../../src/errors.ts'
import { composeComponent } from '../../src/spin/compose/compose-component.ts'
import { bytesOfFile } from '../run/fixtures.ts'

const asker = bytesOfFile('test/guests/asker.wasm')
const words = bytesOfFile('test/guests/words.wasm')

const compose = (wasm: Uint8Array): Uint8Array =>
  composeComponent(asker, [{ name: 'test:words', inherit: [], wasm }], { what: 'the guest' })

/** The code of what composing throws; `composed` where it accepts the bytes. */
function outcome(wasm: Uint8Array): string {
  try {
    compose(wasm)
    return 'composed'
  } catch (error) {
    if (error instanceof SpindleError) return error.code
    throw error
  }
}

/** Its first and last bytes: types, imports and exports; code lies between. */
const places = [
  ...Array.from({ length: 400 }, (_, index) => index),
  ...Array.from({ length: 400 }, (_, index) => words.length - 1 - index),
]

const CODES =
  /^(?:composed|ERR_CONTENT_INVALID|ERR_APP_INVALID|ERR_UNSUPPORTED|ERR_LIMIT_EXCEEDED)$/

/** Bytes of a component that starts with a section of a size and a count of items. */
const section = (id: number, ...content: number[]): Uint8Array =>
  Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0, id, content.length, ...content)

describe('a dependency', () => {
  it('is composed when it is whole', () => {
    expect(outcome(words)).toBe('composed')
  })

  it.each([0x00, 0x42, 0x7f, 0xff])(
    'with a byte of its interfaces replaced by %i is refused with a code, or composed',
    (value) => {
      for (const place of places) {
        const damaged = words.slice()
        damaged[place] = value
        expect(outcome(damaged)).toMatch(CODES)
      }
    },
  )

  it('that ends early is refused with a code, or composed where a whole section is missing', () => {
    const step = Math.ceil(words.length / 500)
    for (let length = 0; length < words.length; length += step)
      expect(outcome(words.subarray(0, length))).toMatch(CODES)
  })

  it.each([
    ['types', 7],
    ['imports', 10],
    ['exports', 11],
    ['aliases', 6],
    ['instances', 5],
  ])('that announces four billion %s is refused before anything is made for them', (_, id) => {
    expect(outcome(section(id, 0xff, 0xff, 0xff, 0xff, 0x0f))).toBe('ERR_CONTENT_INVALID')
  })

  it('whose types are nested without end is refused', () => {
    // A type section whose one type is a component type that has a type, and so on.
    const levels = 60_000
    const nested: number[] = [1]
    for (let level = 0; level < levels; level++) nested.push(0x41, 1, 1)
    const size = nested.length
    const leb = [(size & 0x7f) | 0x80, ((size >> 7) & 0x7f) | 0x80, size >> 14]
    const head = [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0, 7, ...leb]
    const wasm = new Uint8Array(head.length + size)
    wasm.set(head)
    wasm.set(nested, head.length)
    expect(outcome(wasm)).toMatch(/^ERR_(?:CONTENT_INVALID|UNSUPPORTED|LIMIT_EXCEEDED)$/)
  })
})
