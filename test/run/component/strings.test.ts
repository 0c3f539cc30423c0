// Guests whose strings are not UTF-8. What C sees of each unit, and what it gives back, is the same
// through jco, which knows UTF-16 but not Latin-1, and in Wasmtime, which knows both.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import type { ComponentInstance } from '../../../src/run/component/instantiate.ts'
import { bytesOfFile } from '../fixtures.ts'
import { coreOf } from '../typed-modules.ts'
import { findWasmtime } from '../wasmtime-program.ts'
import { startBinary } from './start.ts'
import { throughJco } from './through-jco.ts'

type Functions = Readonly<Record<string, (...args: unknown[]) => unknown>>

const INTERFACE = 'test:strings/strings'

/** What the guests ask of their host. */
const host: Functions = {
  change: (text) => `<${String(text).toUpperCase()}>`,
  choose: (texts) => (texts as string[]).find((text) => text.includes('!')),
}

async function instantiate(guest: string, core = false): Promise<ComponentInstance> {
  const component = bytesOfFile(`test/guests/${guest}.wasm`)
  if (!core) return startBinary(component, host)
  const wit = new TextDecoder().decode(bytesOfFile('test/guests/strings.wit'))
  const encoding = guest === 'strings-utf16' ? 'utf16' : 'compact-utf16'
  return startBinary(await coreOf(component, wit, encoding), host)
}

const TEXTS = ['', 'abc', 'é\u00ff', 'a\ufeff', '\u0000', 'ж', 'aж', '😀', 'ß😀', '€uro']
/** Taken apart in pieces, as arguments of one call are limited. */
const LONG = 'xé'.repeat(70_000)
/** jco takes it for a mark of the order of bytes and drops it. */
const BOM = '\ufeffa'

const CASES: ReadonlyArray<readonly [name: string, argument: unknown, result: unknown]> = [
  ...TEXTS.map((text) => ['twice', text, text + text] as const),
  ...TEXTS.map((text) => ['through-host', text, `${text}<${text.toUpperCase()}>`] as const),
  ['from-units', [0x61, 0xd83d, 0xde00, 0xff], 'a😀ÿ'],
  ['from-units', [], ''],
  [
    'pairs',
    [
      { name: 'é', value: 'ж' },
      { name: '', value: '' },
      { name: 'a', value: 'b' },
    ],
    ['éж', '', 'ab'],
  ],
  ['chosen-by-host', ['a', 'ж!', '!'], 'ж!'],
  ['chosen-by-host', ['é', 'ü!'], 'ü!'],
  ['chosen-by-host', ['a', 'ж'], undefined],
]

const plain = (value: unknown): unknown =>
  ArrayBuffer.isView(value) ? [...(value as Uint16Array)] : value

const unitsOf = (text: string): number[] => Array.from(text.split(''), (unit) => unit.charCodeAt(0))

describe.each([
  ['UTF-16', 'strings-utf16', false],
  ['Latin-1 or UTF-16', 'strings-latin1', false],
  ['UTF-16, as a core module', 'strings-utf16', true],
  ['Latin-1 or UTF-16, as a core module', 'strings-latin1', true],
])('a guest with strings in %s', (_, guest, core) => {
  let ours: ComponentInstance
  beforeAll(async () => {
    ours = await instantiate(guest, core)
  })
  const call = async (name: string, argument: unknown): Promise<unknown> =>
    plain(await ours.call([INTERFACE, name], argument))

  it.each(CASES)('answers %s of %j', async (name, argument, result) => {
    expect(await call(name, argument)).toEqual(result)
  })

  it.each(TEXTS)('is given %j as it encodes it', async (text) => {
    const wide = guest === 'strings-utf16' || /[^\0-\u00ff]/.test(text)
    expect(await call('units', text)).toEqual([Number(wide), ...unitsOf(text)])
  })

  it('keeps what looks like a mark of the order of bytes', async () => {
    expect(await call('twice', BOM)).toBe(BOM + BOM)
  })

  it('answers a long string', async () => {
    // Compared here: a difference would be printed.
    expect((await call('twice', LONG)) === LONG + LONG).toBe(true)
  })

  it('traps when it gives half a character', async () => {
    const fresh = await instantiate(guest, core)
    await expect(fresh.call([INTERFACE, 'from-units'], [0x61, 0xd83d])).rejects.toMatchObject({
      code: 'ERR_TRAP',
      message: expect.stringContaining('not utf-16le'),
    })
  })
})

it('a guest with strings in UTF-16 answers the same through jco', async () => {
  const guest = 'strings-utf16'
  const wasm = bytesOfFile(`test/guests/${guest}.wasm`)
  const { strings } = await throughJco<{ readonly strings: Functions }>(wasm, {
    'test:strings/host': host,
  })
  const ours = await instantiate(guest)
  const camel: Readonly<Record<string, string>> = {
    'from-units': 'fromUnits',
    'through-host': 'throughHost',
    'chosen-by-host': 'chosenByHost',
  }
  for (const [name, argument] of [...CASES, ...TEXTS.map((text) => ['units', text] as const)]) {
    const theirs = plain(strings[camel[name] ?? name]?.(argument))
    expect([name, plain(await ours.call([INTERFACE, name], argument))]).toEqual([name, theirs])
  }
})

describe('in Wasmtime', () => {
  const wasmtime = findWasmtime()
  const guests = ['strings-utf16', 'strings-latin1']
  if (wasmtime === undefined)
    return it('guests answer the same', (context) =>
      context.skip('no wasmtime: see CONTRIBUTING.md'))
  /** As Wasmtime writes values; a program takes no zero in its arguments. */
  const wave = (text: string): string => `"${text.replaceAll('\u0000', String.raw`\u{0}`)}"`

  it.each(guests)('%s answers the same', async (guest) => {
    const path = fileURLToPath(new URL(`../../guests/${guest}.wasm`, import.meta.url))
    const invoke = (call: string): string =>
      execFileSync(
        wasmtime,
        ['run', '-W', 'unknown-imports-trap=y', '--invoke', `${INTERFACE}.${call}`, path],
        { encoding: 'utf8' },
      ).trim()
    const ours = await instantiate(guest)
    const call = (name: string, argument: unknown): Promise<unknown> =>
      ours.call([INTERFACE, name], argument)
    for (const text of [...TEXTS, BOM]) {
      const units = plain(await call('units', text)) as number[]
      expect(`[${units.join(', ')}]`).toBe(invoke(`units(${wave(text)})`))
      const twice = (await call('twice', text)) as string
      if (!/[\0\ufeff]/.test(text)) expect(wave(twice)).toBe(invoke(`twice(${wave(text)})`))
    }
    const pairs = '[{name: "é", value: "ж"}, {name: "", value: ""}, {name: "a", value: "b"}]'
    expect(invoke(`pairs(${pairs})`)).toBe('["éж", "", "ab"]')
  })
})
