import { concat } from '../../../bytes/stream.ts'
import { encodeUtf8 } from '../../../bytes/text.ts'
import { CALL, MEMORY_GROW } from './instructions.ts'
import { leb, signedLeb } from '../../../bytes/leb.ts'
import { bytesOfParts, COST_SECTION, type ModuleCost } from './module-cost.ts'
import { readModule, SECTION, type Edit, type ModuleLayout } from './read-module.ts'

/** The function by which a metered module asks for pages: `grow(pages) -> 1`, or 0 when it may not. */
export const METER = { module: 'spindle:budget', name: 'grow' } as const

/**
 * Makes a core module ask before its memory grows, and say what an instance of it takes.
 *
 * A module grows its memory by an instruction, which nobody outside sees. So each `memory.grow` of it
 * becomes a call of a function that is added at its end: that one asks the import {@link METER}, and
 * grows the memory only if it may. No `memory.grow` is left anywhere else, in any module of a
 * component, so that the memories of all instances together never have more than what was granted:
 * what they begin with, which is charged before they are made, and what they asked for.
 *
 * The import takes the index of the module's first own function. That function goes to the end, and
 * what names it is changed; all other functions keep their indices, so that code is copied as it is.
 *
 * Tables are limited instead: their maximum is lowered and paid for when the instance is made.
 * What could grow beside memories and tables is refused with `ERR_UNSUPPORTED`: garbage-collected
 * types, exceptions that hold each other. `maxBytes` is the most that one memory may have, and
 * `ERR_LIMIT_EXCEEDED` the answer to one that begins with more.
 */
export function meterModule(module: Uint8Array, maxBytes: number = Infinity): Uint8Array {
  const layout = readModule(module, maxBytes)
  const grows = layout.bodies.some(({ growths }) => growths.length > 0)
  const write = grows ? metered(module, layout) : limited(module, layout)
  const cost: ModuleCost = {
    bytes: bytesOfParts(layout.parts),
    tables: layout.importedTables,
    throws: layout.throws,
  }
  const parts: Uint8Array[] = [module.subarray(0, 8)]
  for (const section of layout.sections) {
    // A module must not say itself what it costs.
    if (section.name !== COST_SECTION) parts.push(...write(section))
  }
  parts.push(...sectionOf(SECTION.custom, [nameOf(COST_SECTION), encodeUtf8(JSON.stringify(cost))]))
  return concat(parts)
}

type Body = ModuleLayout['bodies'][number]
type WriteSection = (section: ModuleLayout['sections'][number]) => readonly Uint8Array[]

/** Only limits are written anew. */
function limited(module: Uint8Array, { limits }: ModuleLayout): WriteSection {
  return ({ id, start, at, end }) =>
    id === SECTION.memory || id === SECTION.table
      ? sectionOf(id, edited(module, at, end, limits))
      : [module.subarray(start, end)]
}

function metered(module: Uint8Array, layout: ModuleLayout): WriteSection {
  const { importedFunctions: meter, parts, bodies, memories } = layout
  const type = parts.types
  const moved = meter + parts.functions
  const growerOf = (memory: number): number => moved + 1 + memory
  const edits = [
    ...layout.limits,
    ...layout.firsts.map(({ at, end }): Edit => ({ at, end, bytes: leb(moved) })),
  ].sort((a, b) => a.at - b.at)

  const body = ({ at, end, firsts, growths }: Body): Uint8Array[] => {
    const changes = [
      ...firsts.map((first): Edit => ({ ...first, bytes: leb(moved) })),
      ...growths.map((growth): Edit => ({
        at: growth.at,
        end: growth.end,
        bytes: [CALL, ...leb(growerOf(growth.memory))],
      })),
    ].sort((a, b) => a.at - b.at)
    return sized(edited(module, at, end, changes))
  }
  const code = (): Uint8Array[] => {
    const [first, ...rest] = bodies as readonly [Body, ...Body[]]
    const written: Uint8Array[] = [bytes(leb(bodies.length + memories.length))]
    let from = first.end
    for (const one of rest) {
      if (one.firsts.length === 0 && one.growths.length === 0) continue
      written.push(module.subarray(from, one.start), ...body(one))
      from = one.end
    }
    written.push(module.subarray(from, bodies.at(-1)?.end), ...body(first))
    memories.forEach((pages, memory) => written.push(...sized([grower(memory, pages, meter)])))
    return written
  }
  const functions = (at: number, end: number): Uint8Array[] => {
    const first = at + lebLength(module, at)
    const second = first + lebLength(module, first)
    return [
      bytes(leb(parts.functions + memories.length)),
      module.subarray(second, end),
      module.subarray(first, second),
      bytes(memories.flatMap(() => leb(type))),
    ]
  }
  const meterImport = [nameOf(METER.module), nameOf(METER.name), bytes([0, ...leb(type)])]
  const hasImports = layout.sections.some(({ id }) => id === SECTION.import)

  return ({ id, start, at, end }) => {
    const rest = (): Uint8Array => module.subarray(at + lebLength(module, at), end)
    switch (id) {
      case SECTION.type:
        return [
          // (func (param i32) (result i32))
          ...sectionOf(id, [bytes(leb(type + 1)), rest(), bytes([0x60, 1, 0x7f, 1, 0x7f])]),
          ...(hasImports ? [] : sectionOf(SECTION.import, [bytes(leb(1)), ...meterImport])),
        ]
      case SECTION.import:
        return sectionOf(id, [bytes(leb(parts.imports + 1)), rest(), ...meterImport])
      case SECTION.function:
        return sectionOf(id, functions(at, end))
      case SECTION.code:
        return sectionOf(id, code())
      case SECTION.table:
      case SECTION.memory:
      case SECTION.global:
      case SECTION.export:
      case SECTION.start:
      case SECTION.element:
        return sectionOf(id, edited(module, at, end, edits))
      default:
        return [module.subarray(start, end)]
    }
  }
}

/** `(func (param i32) (result i32))`: what `memory.grow` does, if the memory's maximum and the meter let it. */
function grower(memory: number, maxPages: number, meter: number): Uint8Array {
  const LOCAL_GET = [0x20, 0]
  const fail = [0x04, 0x40, 0x41, ...signedLeb(-1), 0x0f, 0x0b]
  return bytes([
    // No locals.
    0,
    // What the maximum refuses is not asked for: pages > maximum - memory.size.
    ...LOCAL_GET,
    ...[0x41, ...signedLeb(maxPages), 0x3f, ...leb(memory), 0x6b],
    0x4b,
    ...fail,
    ...LOCAL_GET,
    ...[CALL, ...leb(meter), 0x45],
    ...fail,
    ...LOCAL_GET,
    ...[MEMORY_GROW, ...leb(memory)],
    0x0b,
  ])
}

function bytes(values: readonly number[]): Uint8Array {
  return Uint8Array.from(values)
}

function lebLength(module: Uint8Array, at: number): number {
  let end = at
  while ((module[end] as number) >= 0x80) end++
  return end + 1 - at
}

function nameOf(text: string): Uint8Array {
  const encoded = encodeUtf8(text)
  return concat([bytes(leb(encoded.length)), encoded])
}

/** A range of the module with what has changed in it. */
function edited(module: Uint8Array, at: number, end: number, edits: readonly Edit[]): Uint8Array[] {
  const parts: Uint8Array[] = []
  let from = at
  for (const edit of edits) {
    if (edit.at < at || edit.at >= end) continue
    parts.push(module.subarray(from, edit.at), bytes(edit.bytes))
    from = edit.end
  }
  parts.push(module.subarray(from, end))
  return parts
}

function sized(parts: readonly Uint8Array[]): Uint8Array[] {
  const size = parts.reduce((sum, part) => sum + part.length, 0)
  return [bytes(leb(size)), ...parts]
}

function sectionOf(id: number, parts: readonly Uint8Array[]): Uint8Array[] {
  return [bytes([id]), ...sized(parts)]
}
