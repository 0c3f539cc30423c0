import {
  each,
  malformed,
  skipBytes,
  takeByte,
  takeU32,
  takeValueType,
  unknown,
  VALUE,
  type Cursor,
} from './instructions.ts'
import { SECTION, takeName } from './read-module.ts'

/** A core function type as text, such as `(i32, i64) -> (i32)`: equal types have equal texts. */
export type CoreSignature = string

type CoreKind = 'function' | 'table' | 'memory' | 'global' | 'tag'

interface CoreExtern {
  readonly kind: CoreKind
  /** Of functions. */
  readonly type: CoreSignature | undefined
}

export interface CoreImport extends CoreExtern {
  readonly module: string
  readonly name: string
}

/** A custom section: its name, and where its content lies in the file. */
interface TypeSection {
  readonly name: string
  readonly start: number
  readonly end: number
}

/** What a core module says of itself: imports, exports, and the worlds that its bindings were made for. */
export interface CoreInterface {
  readonly imports: readonly CoreImport[]
  readonly exports: ReadonlyMap<string, CoreExtern>
  /** Custom sections named `component-type…`, in file order. */
  readonly worlds: readonly TypeSection[]
}

const FUNCTION_TYPE = 0x60
const KINDS: readonly CoreKind[] = ['function', 'table', 'memory', 'global', 'tag']
const TYPE_SECTION = 'component-type'
const NAMES: Readonly<Record<number, string | undefined>> = {
  [VALUE.i32]: 'i32',
  [VALUE.i64]: 'i64',
  [VALUE.f32]: 'f32',
  [VALUE.f64]: 'f64',
  [VALUE.v128]: 'v128',
}

export function formatSignature(
  params: readonly string[],
  results: readonly string[],
): CoreSignature {
  return `(${params.join(', ')}) -> (${results.join(', ')})`
}

/** Whether {@link readCoreInterface} reads a section: those are kept of a module whose code is elsewhere. */
export function isInterfaceSection(id: number, content: Cursor): boolean {
  return id === SECTION.custom
    ? takeName({ ...content }).startsWith(TYPE_SECTION)
    : id === SECTION.type ||
        id === SECTION.import ||
        id === SECTION.function ||
        id === SECTION.export
}

/** Calls `visit` for each section: where it starts, and a cursor over its content. */
export function eachSection(
  bytes: Uint8Array,
  visit: (id: number, start: number, content: Cursor) => void,
): void {
  const file: Cursor = { bytes, at: 8, end: bytes.length }
  while (file.at < file.end) {
    const start = file.at
    const id = takeByte(file)
    const size = takeU32(file)
    const { at } = file
    skipBytes(file, size)
    visit(id, start, { bytes, at, end: file.at })
  }
}

/**
 * Reads what a core module imports and exports. Code and data are not looked at.
 *
 * Throws `ERR_CONTENT_INVALID` for malformed sections, `ERR_UNSUPPORTED` for types of garbage collection.
 */
export function readCoreInterface(bytes: Uint8Array): CoreInterface {
  const types: CoreSignature[] = []
  /** Types of all functions, imported ones first. */
  const functions: number[] = []
  const imports: CoreImport[] = []
  const exports = new Map<string, CoreExtern>()
  const worlds: TypeSection[] = []

  const typeOf = (index: number, at: number): CoreSignature =>
    types[index] ?? malformed(`there is no type ${index}`, at)
  const kindAt = (cursor: Cursor): CoreKind => {
    const code = takeByte(cursor)
    return KINDS[code] ?? unknown('kind', code, cursor.at - 1)
  }
  const limits = (cursor: Cursor): void => {
    const flags = takeByte(cursor)
    takeU32(cursor)
    if (flags & 1) takeU32(cursor)
  }
  const readImport = (cursor: Cursor): void => {
    const module = takeName(cursor)
    const name = takeName(cursor)
    const { at } = cursor
    const kind = kindAt(cursor)
    let type: CoreSignature | undefined
    if (kind === 'function') {
      const index = takeU32(cursor)
      functions.push(index)
      type = typeOf(index, at)
    } else if (kind === 'memory') limits(cursor)
    else if (kind === 'table') {
      takeValueType(cursor)
      limits(cursor)
    } else if (kind === 'global') {
      takeValueType(cursor)
      takeByte(cursor)
    } else {
      takeByte(cursor)
      takeU32(cursor)
    }
    imports.push({ module, name, kind, type })
  }
  const readExport = (cursor: Cursor): void => {
    const { at } = cursor
    const name = takeName(cursor)
    const kind = kindAt(cursor)
    const index = takeU32(cursor)
    if (exports.has(name)) malformed(`export ${JSON.stringify(name)} is given twice`, at)
    exports.set(name, {
      kind,
      type: kind === 'function' ? typeOf(functions[index] ?? -1, at) : undefined,
    })
  }
  const readType = (cursor: Cursor): void => {
    const { at } = cursor
    const form = takeByte(cursor)
    if (form !== FUNCTION_TYPE) unknown('type', form, at)
    const values = (): string[] => {
      const names: string[] = []
      each(cursor, () => void names.push(NAMES[takeValueType(cursor)] ?? 'reference'))
      return names
    }
    types.push(formatSignature(values(), values()))
  }

  eachSection(bytes, (id, _, content) => {
    switch (id) {
      case SECTION.type:
        return void each(content, () => readType(content))
      case SECTION.import:
        return void each(content, () => readImport(content))
      case SECTION.function:
        return void each(content, () => void functions.push(takeU32(content)))
      case SECTION.export:
        return void each(content, () => readExport(content))
      case SECTION.custom: {
        const name = takeName(content)
        if (name.startsWith(TYPE_SECTION))
          worlds.push({ name, start: content.at, end: content.end })
      }
    }
  })
  return { imports, exports, worlds }
}
