import { decodeUtf8 } from '../../../bytes/text.ts'
import { SpindleError } from '../../../errors.ts'
import {
  each,
  malformed,
  MEMORY_GROW,
  REF_FUNC,
  skipBytes,
  takeByte,
  takeU32,
  takeValueType,
  unknown,
  VALUE,
  walkConstant,
  type Cursor,
  type Visit,
} from './instructions.ts'
import { readBody, type Body, type FirstFunction } from './read-body.ts'
import { leb } from '../../../bytes/leb.ts'
import { MAX_TABLE_GROWTH, PAGE, type ModuleParts } from './module-cost.ts'

export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const

/** A range of the file, and what stands there instead once it is metered. */
export interface Edit {
  readonly at: number
  readonly end: number
  readonly bytes: readonly number[]
}

interface Section {
  readonly id: number
  readonly name: string | undefined
  /** Of its head, then of its content. */
  readonly start: number
  readonly at: number
  readonly end: number
}

/** What metering needs to know of a core module. */
export interface ModuleLayout {
  readonly sections: readonly Section[]
  readonly parts: ModuleParts
  readonly importedFunctions: number
  readonly importedTables: ReadonlyArray<
    readonly [module: string, name: string, maximum: number | null]
  >
  /** Most pages of each memory, imported ones too. */
  readonly memories: readonly number[]
  /** Whether it has exceptions of its own. */
  readonly throws: boolean
  /** Whether a constant expression of it has arithmetic. */
  readonly extendsConstants: boolean
  /** Lowered limits. */
  readonly limits: readonly Edit[]
  /** Outside of code. */
  readonly firsts: readonly FirstFunction[]
  readonly bodies: readonly Body[]
}

const MAX_PAGES = 65_536
const FUNCTION_TYPE = 0x60
const KIND = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const

// What one exception carries: C++ and `longjmp` have a pointer. Each slot of a stack may hold one.
const MAX_TAG_BYTES = 16

export function takeName(cursor: Cursor): string {
  const length = takeU32(cursor)
  const { at } = cursor
  skipBytes(cursor, length)
  return decodeUtf8(cursor.bytes.subarray(at, cursor.at)) ?? malformed('a name is not UTF-8', at)
}

function createParts(): ModuleParts {
  return {
    functions: 0,
    elements: 0,
    elementSegments: 0,
    dataSegments: 0,
    imports: 0,
    exports: 0,
    globals: 0,
    tags: 0,
    types: 0,
    tables: 0,
    tableElements: 0,
    memories: 0,
    pages: 0,
  }
}

function unsupported(feature: string, at: number): never {
  throw new SpindleError(
    'ERR_UNSUPPORTED',
    `a core module has a ${feature}, whose memory can't be limited here (at byte ${at})`,
  )
}

function tooMuch(bytes: number, limit: number): SpindleError {
  return new SpindleError(
    'ERR_LIMIT_EXCEEDED',
    `a core module needs ${bytes} bytes of memory to begin with, more than the limit of ${limit}: ` +
      'raise it by the option "maxMemory", at a shell by --max-memory',
  )
}

function payloadOf(type: number): number {
  switch (type) {
    case VALUE.v128:
      return 16
    case VALUE.i32:
    case VALUE.f32:
      return 4
    case VALUE.i64:
    case VALUE.f64:
    case VALUE.func:
    case VALUE.extern:
    case VALUE.concrete:
      return 8
    default:
      // Of another reference: exceptions could hold each other without end.
      return Infinity
  }
}

/** Reads a core module as far as its instances take memory. Throws `ERR_CONTENT_INVALID`, `ERR_UNSUPPORTED`. */
export function readModule(bytes: Uint8Array, maxBytes: number): ModuleLayout {
  const maxPages = Math.min(MAX_PAGES, Math.floor(maxBytes / PAGE))
  const parts = createParts()
  const sections: Section[] = []
  const importedTables: Array<readonly [string, string, number | null]> = []
  const memories: number[] = []
  const limits: Edit[] = []
  const firsts: FirstFunction[] = []
  const bodies: Body[] = []
  /** Bytes of the parameters of each type. */
  const payloads: number[] = []
  let importedFunctions = 0
  let extendsConstants = false

  const noteFirst: Visit = (opcode, index, at, end) => {
    if (opcode !== MEMORY_GROW && index === importedFunctions) firsts.push({ at, end })
  }
  const functionIndex = (cursor: Cursor): void => {
    const { at } = cursor
    noteFirst(REF_FUNC, takeU32(cursor), at, cursor.at)
  }
  const constant = (cursor: Cursor): void => {
    if (walkConstant(cursor, noteFirst)) extendsConstants = true
  }

  const memory = (cursor: Cursor, own: boolean): void => {
    const { at } = cursor
    const flags = takeByte(cursor)
    if (flags > 1) unsupported('shared or 64-bit memory', at)
    const least = takeU32(cursor)
    const declared = flags === 1 ? takeU32(cursor) : MAX_PAGES
    if (!own) return void memories.push(declared)
    if (least > maxPages) throw tooMuch(least * PAGE, maxBytes)
    const most = Math.min(declared, maxPages)
    if (flags === 0 || most < declared)
      limits.push({ at, end: cursor.at, bytes: [1, ...leb(least), ...leb(most)] })
    // Also what the limit refuses is asked for, so that a refusal is known.
    memories.push(declared)
    parts.memories++
    parts.pages += least
  }
  /** Limits of a table; gives the most elements, `null` without any. */
  const tableLimits = (cursor: Cursor, own: boolean): number | null => {
    const { at } = cursor
    const flags = takeByte(cursor)
    if (flags > 1) unsupported('shared or 64-bit table', at)
    const least = takeU32(cursor)
    const declared = flags === 1 ? takeU32(cursor) : null
    if (!own) return declared
    const most = Math.min(declared ?? Infinity, least + MAX_TABLE_GROWTH)
    if (most !== declared)
      limits.push({ at, end: cursor.at, bytes: [1, ...leb(least), ...leb(most)] })
    return most
  }
  const tableElement = (cursor: Cursor): void => {
    const { at } = cursor
    const type = takeValueType(cursor)
    if (type !== VALUE.func && type !== VALUE.extern && type !== VALUE.concrete)
      unsupported('table of other things than functions and externals', at)
  }
  const tag = (cursor: Cursor): void => {
    const { at } = cursor
    takeByte(cursor)
    if ((payloads[takeU32(cursor)] ?? 0) > MAX_TAG_BYTES)
      unsupported(`exception that carries more than ${MAX_TAG_BYTES} bytes`, at)
    parts.tags++
  }

  const readers: Readonly<Record<number, (cursor: Cursor) => void>> = {
    [SECTION.type]: (cursor) => {
      parts.types = each(cursor, () => {
        const { at } = cursor
        if (takeByte(cursor) !== FUNCTION_TYPE) unsupported('garbage-collected type', at)
        let payload = 0
        each(cursor, () => (payload += payloadOf(takeValueType(cursor))))
        each(cursor, () => takeValueType(cursor))
        payloads.push(payload)
      })
    },
    [SECTION.import]: (cursor) => {
      parts.imports = each(cursor, () => {
        const from = takeName(cursor)
        const name = takeName(cursor)
        const { at } = cursor
        const kind = takeByte(cursor)
        switch (kind) {
          case KIND.function:
            takeU32(cursor)
            importedFunctions++
            return
          case KIND.table:
            tableElement(cursor)
            importedTables.push([from, name, tableLimits(cursor, false)])
            return
          case KIND.memory:
            return memory(cursor, false)
          case KIND.global:
            takeValueType(cursor)
            takeByte(cursor)
            return
          case KIND.tag:
            return tag(cursor)
          default:
            unknown('import', kind, at)
        }
      })
    },
    [SECTION.function]: (cursor) => {
      parts.functions = each(cursor, () => takeU32(cursor))
    },
    [SECTION.table]: (cursor) => {
      parts.tables = each(cursor, () => {
        // With what its elements are to begin with.
        const initialized = cursor.bytes[cursor.at] === 0x40
        if (initialized) skipBytes(cursor, 2)
        tableElement(cursor)
        parts.tableElements += tableLimits(cursor, true) ?? 0
        if (initialized) constant(cursor)
      })
    },
    [SECTION.memory]: (cursor) => void each(cursor, () => memory(cursor, true)),
    [SECTION.tag]: (cursor) => void each(cursor, () => tag(cursor)),
    [SECTION.global]: (cursor) => {
      parts.globals = each(cursor, () => {
        takeValueType(cursor)
        takeByte(cursor)
        constant(cursor)
      })
    },
    [SECTION.export]: (cursor) => {
      parts.exports = each(cursor, () => {
        takeName(cursor)
        if (takeByte(cursor) === KIND.function) functionIndex(cursor)
        else takeU32(cursor)
      })
    },
    [SECTION.start]: functionIndex,
    [SECTION.element]: (cursor) => {
      parts.elementSegments = each(cursor, () => {
        const { at } = cursor
        const flags = takeU32(cursor)
        if (flags > 7) unknown('element segment', flags, at)
        const active = (flags & 1) === 0
        const explicit = (flags & 2) !== 0
        const expressions = (flags & 4) !== 0
        if (active && explicit) takeU32(cursor)
        if (active) constant(cursor)
        if (!active || explicit) {
          if (expressions) takeValueType(cursor)
          else takeByte(cursor)
        }
        parts.elements += each(cursor, () =>
          expressions ? constant(cursor) : functionIndex(cursor),
        )
      })
    },
    [SECTION.code]: (cursor) => {
      each(cursor, () => bodies.push(readBody(cursor, importedFunctions, memories.length)))
    },
    [SECTION.data]: (cursor) => {
      parts.dataSegments = each(cursor, () => {
        const { at } = cursor
        const flags = takeU32(cursor)
        if (flags > 2) unknown('data segment', flags, at)
        if (flags === 2) takeU32(cursor)
        if (flags !== 1) constant(cursor)
        skipBytes(cursor, takeU32(cursor))
      })
    },
  }

  const file: Cursor = { bytes, at: 8, end: bytes.length }
  while (file.at < file.end) {
    const start = file.at
    const id = takeByte(file)
    const size = takeU32(file)
    const { at } = file
    skipBytes(file, size)
    const end = file.at
    if (id > SECTION.tag) unknown('section', id, start)
    const section: Cursor = { bytes, at, end }
    readers[id]?.(section)
    sections.push({
      id,
      name: id === SECTION.custom ? takeName(section) : undefined,
      start,
      at,
      end,
    })
  }
  if (bodies.length !== parts.functions)
    malformed(`${parts.functions} functions, but ${bodies.length} bodies`, bytes.length)
  const throws = parts.tags > 0
  return {
    sections,
    parts,
    importedFunctions,
    importedTables,
    memories,
    throws,
    extendsConstants,
    limits,
    firsts,
    bodies,
  }
}
