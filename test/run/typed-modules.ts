import { readFileSync } from 'node:fs'
import { componentEmbed, parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { coreModules } from '../../src/run/component/compile.ts'
import { parseComponent } from '../../src/run/component/binary/parse.ts'

// Core modules with `component-type` sections, made by the tools that SDKs have, or as no tool makes them.

const EMPTY = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)
const PREFIX = 'component-type'
const encoder = new TextEncoder()
const decoder = new TextDecoder()

const INTERFACES = readFileSync(new URL('../guests/interfaces.wit', import.meta.url), 'utf8')

/** A core module of its text. */
export function moduleOf(wat: string): Promise<Uint8Array> {
  return parse(wat)
}

export type StringEncoding = 'utf8' | 'utf16' | 'compact-utf16'

/** A world of the interfaces that the guests use, and of others. */
export const witOf = (world: string, others = ''): string =>
  `package test:guest; world guest { ${world} }\n${INTERFACES}\n${others}`

/** The content of a section with the world of a WIT document. */
export async function worldSection(
  witSource: string,
  stringEncoding: StringEncoding = 'utf8',
): Promise<Uint8Array> {
  const embedded = await componentEmbed({ binary: EMPTY, witSource, stringEncoding })
  const [section] = typeSections(embedded)
  if (section === undefined) throw new Error('nothing was embedded')
  return section[1]
}

/** The format of wit-bindgen before 0.17: the encoding and the world's name stand before the component. */
export function asOldFormat(section: Uint8Array, name = 'guest'): Uint8Array {
  return joined([Uint8Array.of(3, 0, name.length), encoder.encode(name), section])
}

export function withSections(
  module: Uint8Array,
  sections: ReadonlyArray<readonly [name: string, content: Uint8Array]>,
): Uint8Array {
  return joined([
    module,
    ...sections.flatMap(([name, content]) => {
      const label = encoder.encode(name)
      const body = joined([leb(label.length), label, content])
      return [Uint8Array.of(0), leb(body.length), body]
    }),
  ])
}

/** The core module of a component of our guests, as it was before it was made one. */
export async function coreOf(
  component: Uint8Array,
  witSource: string,
  stringEncoding: StringEncoding = 'utf8',
): Promise<Uint8Array> {
  const [core] = coreModules(parseComponent(component))
  if (core === undefined) throw new Error('a component without core modules')
  return withSections(core.bytes, [[PREFIX, await worldSection(witSource, stringEncoding)]])
}

/** A module of its text with the sections of worlds. */
export async function typedModule(wat: string, ...worlds: readonly string[]): Promise<Uint8Array> {
  const sections = await Promise.all(worlds.map((world) => worldSection(witOf(world))))
  return withSections(
    await moduleOf(wat),
    sections.map((content, i) => [`${PREFIX}:${i}`, content] as const),
  )
}

/** Its `component-type` sections. */
export function typeSections(
  module: Uint8Array,
): Array<readonly [name: string, content: Uint8Array]> {
  return sectionsOf(module).flatMap(({ name, content }) =>
    name?.startsWith(PREFIX) === true && content !== undefined ? [[name, content] as const] : [],
  )
}

/** The same module without them. */
export function untyped(module: Uint8Array): Uint8Array {
  const kept = sectionsOf(module).filter(({ name }) => name?.startsWith(PREFIX) !== true)
  return joined([EMPTY, ...kept.map(({ whole }) => whole)])
}

interface Section {
  readonly whole: Uint8Array
  readonly name: string | undefined
  readonly content: Uint8Array | undefined
}

function sectionsOf(module: Uint8Array): Section[] {
  const sections: Section[] = []
  let at = EMPTY.length
  const number = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const next = module[at++] ?? 0
      value += (next & 0x7f) * 2 ** shift
      if (next < 0x80) return value
    }
  }
  while (at < module.length) {
    const start = at
    const id = module[at++]
    const size = number()
    const end = at + size
    let name: string | undefined
    if (id === 0) {
      const length = number()
      name = decoder.decode(module.subarray(at, at + length))
      at += length
    }
    sections.push({
      whole: module.subarray(start, end),
      name,
      content: name === undefined ? undefined : module.subarray(at, end),
    })
    at = end
  }
  return sections
}

function leb(value: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Uint8Array.from([...bytes, rest])
    bytes.push((rest & 0x7f) | 0x80)
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}
