// A guest whose compiler has laid out every type by itself: what comes back was read from where it put
// it. The same values go through jco.
import { beforeAll, describe, expect, it } from 'vitest'
import type { ComponentInstance } from '../../../src/run/component/instantiate.ts'
import { dropResource, type GuestResource } from '../../../src/run/component/abi/resource.ts'
import { bytesOfFile } from '../fixtures.ts'
import { coreOf } from '../typed-modules.ts'
import { startBinary } from './start.ts'
import { throughJco } from './through-jco.ts'

type Functions = Readonly<Record<string, (...args: unknown[]) => unknown>>

const wasm = bytesOfFile('test/guests/types.wasm')
const WIT = new TextDecoder().decode(bytesOfFile('test/guests/types.wit'))
const INTERFACE = 'test:types/types'

/** As both write them: without types of arrays, and what is absent left out. */
function plain(value: unknown): unknown {
  const text = JSON.stringify([value], (_, one: unknown) => {
    if (typeof one === 'bigint') return `${one}n`
    if (typeof one === 'number' && !Number.isFinite(one)) return String(one)
    return ArrayBuffer.isView(one) ? [...(one as unknown as Iterable<number>)] : one
  })
  return JSON.parse(text)
}

const camel = (name: string): string =>
  name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())

const inner = { a: 1, b: 2n ** 60n, c: 65534, d: 1.5, e: 'ä😀', f: true }
const outer = { x: -128, inner, y: -32768 }
const changed = {
  x: 127,
  inner: { a: 2, b: 2n ** 60n + 1n, c: 65535, d: 0.75, e: 'ä😀ä😀', f: false },
  y: 32767,
}
const least = { x: 0, inner: { ...inner, a: 255, e: '' }, y: 1 }
const leastChanged = {
  x: -1,
  inner: { ...changed.inner, a: 0, e: '' },
  y: 0,
}
const only = (names: string, on: readonly string[]): Record<string, boolean> =>
  Object.fromEntries(names.split(' ').map((name) => [name, on.includes(name)]))
const MOST = Array.from({ length: 32 }, (_, i) => `${'abcd'[Math.floor(i / 10)]}${i % 10}`).join(
  ' ',
)

const CASES: ReadonlyArray<readonly [name: string, args: readonly unknown[], result: unknown]> = [
  ['bool', [true], false],
  ['u8', [255], 0],
  ['s8', [127], -128],
  ['u16', [65535], 0],
  ['s16', [32767], -32768],
  ['u32', [0xffff_ffff], 0],
  ['u32', [0x7fff_ffff], 0x8000_0000],
  ['s32', [0x7fff_ffff], -0x8000_0000],
  ['u64', [2n ** 64n - 1n], 0n],
  ['u64', [2n ** 63n - 1n], 2n ** 63n],
  ['s64', [2n ** 63n - 1n], -(2n ** 63n)],
  ['f32', [-3], -1.5],
  ['f32', [NaN], NaN],
  ['f64', [Infinity], Infinity],
  ['f64', [Number.MIN_VALUE * 2], Number.MIN_VALUE],
  ['f64', [NaN], NaN],
  ['char', ['\u{10fffe}'], '\u{10ffff}'],
  ['char', ['a'], 'b'],
  ['string', ['ünï😀'], 'ünï😀ünï😀'],
  ['string', [''], ''],
  ['units', [[0, 0xff, 0xffff]], [0xff, 0, 0xff00]],
  ['units', [[]], []],
  ['words', [['a', '', 'ß']], ['aa', '', 'ßß']],
  ['nested', [outer], changed],
  ['rows', [[outer, least]], [changed, leastChanged]],
  ['pair', [[255, -0.5, -32768]], [0, -0.25, 32767]],
  ['grow', [{ tag: 'none' }], { tag: 'none' }],
  ['grow', [{ tag: 'narrow', val: 254 }], { tag: 'narrow', val: 255 }],
  ['grow', [{ tag: 'wide', val: -1n }], { tag: 'wide', val: 0n }],
  ['grow', [{ tag: 'text', val: 'xy' }], { tag: 'text', val: 'xyxy' }],
  ['grow', [{ tag: 'real', val: -1 }], { tag: 'real', val: -0.5 }],
  ['grow', [{ tag: 'rows', val: [1, 0xffff_ffff] }], { tag: 'rows', val: [2, 0] }],
  [
    'grow-all',
    [[{ tag: 'text', val: 'é' }, { tag: 'none' }, { tag: 'wide', val: 2n ** 62n }]],
    [{ tag: 'text', val: 'éé' }, { tag: 'none' }, { tag: 'wide', val: 2n ** 62n + 1n }],
  ],
  ['next', ['large'], 'small'],
  ['next', ['small'], 'middle'],
  ['maybe', [5n], 6n],
  ['maybe', [undefined], undefined],
  ['perhaps', [{ tag: 'some', val: 'a' }], { tag: 'some', val: 'b' }],
  ['perhaps', [{ tag: 'some', val: undefined }], { tag: 'some' }],
  ['perhaps', [{ tag: 'none' }], { tag: 'none' }],
  [
    'outcome',
    [
      [
        { tag: 'ok', val: 1 },
        { tag: 'err', val: 3 },
      ],
    ],
    [
      { tag: 'ok', val: 2 },
      { tag: 'err', val: 1.5 },
    ],
  ],
  [
    'outcome',
    [[{ tag: 'err', val: 'no' }, { tag: 'ok' }]],
    [{ tag: 'err', val: 'nono' }, { tag: 'ok' }],
  ],
  [
    'bits',
    [[only('a b c', ['c']), only('a b c d e f g h i', ['a', 'i']), only(MOST, ['a0', 'd1'])]],
    [
      only('a b c', ['a', 'b']),
      only('a b c d e f g h i', ['b', 'c', 'd', 'e', 'f', 'g', 'h']),
      only(
        MOST,
        MOST.split(' ').filter((name) => !['a0', 'd1'].includes(name)),
      ),
    ],
  ],
  [
    'spilled',
    [1, 2n, 3, 4.5, -5, 6, 'text', 7.5, -8, 9, 10n, true, 'A', -12, 13, 14, -15n],
    '1 2 3 4 5 6 7 8 9 10 1 65 12 13 14 15 text',
  ],
]

describe.each(['component', 'core module'])(
  'a C compiler agrees with the linker of a %s, and jco, about',
  (kind) => {
    let ours: ComponentInstance
    let theirs: Functions
    const instantiate = async (): Promise<ComponentInstance> =>
      startBinary(kind === 'component' ? wasm : await coreOf(wasm, WIT))
    beforeAll(async () => {
      theirs = (await throughJco<{ readonly types: Functions }>(wasm, {})).types
      ours = await instantiate()
    })

    const titled = CASES.map((one) => [one[0], JSON.stringify(plain(one[1])), one] as const)
    it.each(titled)('%s of %s', async (_name, _args, [name, args, result]) => {
      expect(plain(await ours.call([INTERFACE, name], ...args))).toEqual(plain(result))
      expect(plain(theirs[camel(name)]?.(...args))).toEqual(plain(result))
    })

    it('resources: made, lent, given away and dropped', async () => {
      const call = (name: string, ...args: unknown[]): Promise<unknown> =>
        ours.call([INTERFACE, name], ...args)
      const one = (await call('[constructor]counter', 1)) as GuestResource
      const two = (await call('[constructor]counter', 2)) as GuestResource
      expect(await call('[method]counter.add', one, 40)).toBe(41)
      const both = (await call('[static]counter.merge', one, two)) as GuestResource
      expect(await call('peek', both)).toBe(43)
      expect(await call('alive')).toBe(1)
    })

    it.each<[string, (ours: ComponentInstance, gone: GuestResource) => unknown]>([
      ['lent', (ours, gone) => ours.call([INTERFACE, 'peek'], gone)],
      ['given away', (ours, gone) => ours.call([INTERFACE, '[static]counter.merge'], gone, gone)],
      ['dropped', (_, gone) => dropResource(gone)],
    ])('a resource that is gone: it can not be %s again', async (_, use) => {
      const fresh = await instantiate()
      const make = (): Promise<unknown> => fresh.call([INTERFACE, '[constructor]counter'], 1)
      const gone = (await make()) as GuestResource
      await fresh.call([INTERFACE, '[static]counter.merge'], gone, await make())
      await expect((async () => use(fresh, gone))()).rejects.toThrow(
        'that it has given away or dropped',
      )
    })

    it('the end of what a resource stands for', async () => {
      const fresh = await instantiate()
      const made = (await fresh.call([INTERFACE, '[constructor]counter'], 1)) as GuestResource
      expect(await fresh.call([INTERFACE, 'alive'])).toBe(1)
      dropResource(made)
      expect(await fresh.call([INTERFACE, 'alive'])).toBe(0)
    })
  },
)
