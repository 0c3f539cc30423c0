import type {
  Alias,
  CoreSort,
  Declaration,
  ExternType,
  Labelled,
  Primitive,
  Sort,
  TypeDef,
  ValueType,
} from './model.ts'
import type { Reader } from './reader.ts'

/** Types within types: no toolchain comes near; keeps hostile input off the stack. */
export const MAX_DEPTH = 100

/** From 0x73 on. */
const PRIMITIVES = 'string char f64 f32 u64 s64 u32 s32 u16 s16 u8 s8 bool'.split(
  ' ',
) as readonly Primitive[]

const SORTS: ReadonlyArray<Sort | undefined> = [
  undefined,
  'func',
  'value',
  'type',
  'component',
  'instance',
]

const CORE_SORTS: Readonly<Record<number, CoreSort | undefined>> = {
  0x00: 'func',
  0x01: 'table',
  0x02: 'memory',
  0x03: 'global',
  0x04: 'tag',
  0x10: 'type',
  0x11: 'module',
  0x12: 'instance',
}

function primitiveOf(code: number): Primitive | undefined {
  return PRIMITIVES[code - 0x73]
}

export function readCoreSort(r: Reader): CoreSort {
  const code = r.byte()
  return CORE_SORTS[code] ?? r.unknown('core sort', code)
}

export function readSort(r: Reader): Sort {
  const code = r.byte()
  if (code === 0) return `core ${readCoreSort(r)}`
  return SORTS[code] ?? r.unknown('sort', code)
}

/** Import and export names: a form byte, then the name. The second form came from an older draft. */
export function readExternName(r: Reader): string {
  const form = r.byte()
  if (form > 1) r.unsupported(`extern name of form 0x${form.toString(16)}`)
  return r.name()
}

function readValueType(r: Reader): ValueType {
  const primitive = primitiveOf(r.peek())
  if (primitive !== undefined) {
    r.byte()
    return primitive
  }
  if (r.peek() === 0x64) r.unsupported('error-context')
  const index = r.s33()
  return index >= 0 ? index : r.fail('unknown value type')
}

export function readExternType(r: Reader): ExternType {
  const code = r.byte()
  switch (code) {
    case 0x00:
      if (r.byte() !== 0x11) r.fail('a core import can only be a module')
      return { kind: 'core module', index: r.u32() }
    case 0x01:
      return { kind: 'func', index: r.u32() }
    case 0x02:
      return r.unsupported('values')
    case 0x03: {
      const bound = r.byte()
      if (bound > 1) r.unknown('type bound', bound)
      return { kind: 'type', equals: bound === 0 ? r.u32() : undefined }
    }
    case 0x04:
      return { kind: 'component', index: r.u32() }
    case 0x05:
      return { kind: 'instance', index: r.u32() }
    default:
      return r.unknown('extern type', code)
  }
}

export function readAlias(r: Reader): Alias {
  const sort = readSort(r)
  const target = r.byte()
  switch (target) {
    case 0x00:
      return { kind: 'alias', sort, from: 'export', instance: r.u32(), name: r.name() }
    case 0x01:
      return { kind: 'alias', sort, from: 'core export', instance: r.u32(), name: r.name() }
    case 0x02:
      return { kind: 'alias', sort, from: 'outer', count: r.u32(), index: r.u32() }
    default:
      return r.unknown('alias target', target)
  }
}

// A word has one case. Other spellings could mean the same name on our side.
const WORD = /^(?:[0-9a-z]+|[0-9A-Z]+)$/

/** Word by word: one expression for all would try every way to read each number. */
function readLabel(r: Reader): string {
  const label = r.name()
  const isLabel = /^[a-zA-Z]/.test(label) && label.split('-').every((word) => WORD.test(word))
  return isLabel ? label : r.fail(`${JSON.stringify(label)} is no label`)
}

function some<T>(r: Reader, what: string, items: T[]): T[] {
  return items.length === 0 ? r.fail(`${what} is empty`) : items
}

function distinct<T>(r: Reader, what: string, items: T[], label: (item: T) => string): T[] {
  if (new Set(items.map((item) => label(item).toLowerCase())).size < items.length)
    r.fail(`${what} repeats a name`)
  return items
}

export function readTypeDef(r: Reader, depth = 0): TypeDef {
  if (depth > MAX_DEPTH) r.fail('types are nested too deep')
  const valueType = (): ValueType => readValueType(r)
  const optional = (): ValueType | undefined => r.optional(valueType)
  const labelled = (): Labelled => [readLabel(r), valueType()]
  const labels = (what: string): string[] =>
    distinct(
      r,
      what,
      some(
        r,
        what,
        r.vector(() => readLabel(r)),
      ),
      (label) => label,
    )
  const code = r.byte()
  const primitive = primitiveOf(code)
  if (primitive !== undefined) return { kind: 'primitive', type: primitive }
  switch (code) {
    case 0x72:
      return {
        kind: 'record',
        fields: distinct(r, 'record', some(r, 'record', r.vector(labelled)), ([l]) => l),
      }
    case 0x71: {
      const cases = r.vector((): readonly [string, ValueType | undefined] => {
        const label = readLabel(r)
        const type = optional()
        if (r.byte() !== 0) r.unsupported('variant case that refines another')
        return [label, type]
      })
      return {
        kind: 'variant',
        cases: distinct(r, 'variant', some(r, 'variant', cases), ([l]) => l),
      }
    }
    case 0x70:
      return { kind: 'list', element: valueType() }
    case 0x6f:
      return { kind: 'tuple', elements: some(r, 'tuple', r.vector(valueType)) }
    case 0x6e: {
      const found = labels('flags')
      if (found.length > 32) r.unsupported('more than 32 flags')
      return { kind: 'flags', labels: found }
    }
    case 0x6d:
      return { kind: 'enum', labels: labels('enum') }
    case 0x6b:
      return { kind: 'option', element: valueType() }
    case 0x6a:
      return { kind: 'result', ok: optional(), err: optional() }
    case 0x69:
      return { kind: 'own', resource: r.u32() }
    case 0x68:
      return { kind: 'borrow', resource: r.u32() }
    case 0x67: {
      valueType()
      r.u32()
      return { kind: 'unsupported', feature: 'fixed-length list' }
    }
    case 0x63:
      return r.unsupported('map')
    case 0x66:
    case 0x65:
      return { kind: code === 0x66 ? 'stream' : 'future', element: optional() }
    case 0x64:
      return { kind: 'unsupported', feature: 'error-context' }
    case 0x40:
    case 0x43: {
      const params = distinct(r, 'function', r.vector(labelled), ([l]) => l)
      return { kind: 'func', async: code === 0x43, params, result: readResult(r) }
    }
    case 0x3f: {
      if (r.byte() !== 0x7f) r.unsupported('resource representation other than i32')
      return { kind: 'resource', destructor: r.optional(() => r.u32()) }
    }
    case 0x3e:
      return r.unsupported('async destructor')
    case 0x41:
      return { kind: 'component', declarations: r.vector(() => readDeclaration(r, depth, true)) }
    case 0x42:
      return { kind: 'instance', declarations: r.vector(() => readDeclaration(r, depth, false)) }
    default:
      return r.unknown('type', code)
  }
}

export function readResult(r: Reader): ValueType | undefined {
  const form = r.byte()
  if (form === 0) return readValueType(r)
  if (form !== 1) r.unknown('result list', form)
  if (r.u32() !== 0) r.unsupported('named results')
  return undefined
}

function readDeclaration(r: Reader, depth: number, imports: boolean): Declaration {
  const code = r.byte()
  switch (code) {
    case 0x00:
      readCoreType(r, depth + 1)
      return { kind: 'core type' }
    case 0x01:
      return { kind: 'type', def: readTypeDef(r, depth + 1) }
    case 0x02:
      return readAlias(r)
    case 0x03:
      if (!imports) r.fail('an instance type has no imports')
      return { kind: 'import', name: readExternName(r), type: readExternType(r) }
    case 0x04:
      return { kind: 'export', name: readExternName(r), type: readExternType(r) }
    default:
      return r.unknown('declaration', code)
  }
}

/** Core types only constrain modules, which the engine links and checks itself: read past them. */
export function readCoreType(r: Reader, depth = 0): void {
  if (depth > MAX_DEPTH) r.fail('types are nested too deep')
  const code = r.byte()
  if (code === 0x60) {
    r.vector(() => readCoreValueType(r))
    r.vector(() => readCoreValueType(r))
  } else if (code === 0x50) {
    r.vector(() => readModuleDeclaration(r, depth))
  } else r.unsupported(`core type 0x${code.toString(16)}`)
}

function readCoreValueType(r: Reader): void {
  const code = r.byte()
  if (code === 0x64 || code === 0x63) r.s33()
  else if (code < 0x69 || code > 0x7f) r.unknown('core value type', code)
}

function readModuleDeclaration(r: Reader, depth: number): void {
  const code = r.byte()
  if (code === 0x00) {
    r.name()
    r.name()
    readImportDescription(r)
  } else if (code === 0x01) {
    readCoreType(r, depth + 1)
  } else if (code === 0x02) {
    readCoreSort(r)
    if (r.byte() !== 0x01) r.fail('a module type aliases outer types only')
    r.u32()
    r.u32()
  } else if (code === 0x03) {
    r.name()
    readImportDescription(r)
  } else r.unknown('module declaration', code)
}

function readImportDescription(r: Reader): void {
  const limits = (): void => {
    const flags = r.byte()
    if (flags > 3) r.unsupported('64-bit or custom-page memory')
    r.u32()
    if (flags & 1) r.u32()
  }
  const code = r.byte()
  if (code === 0x00) r.u32()
  else if (code === 0x01) {
    readCoreValueType(r)
    limits()
  } else if (code === 0x02) limits()
  else if (code === 0x03) {
    readCoreValueType(r)
    r.byte()
  } else if (code === 0x04) {
    r.byte()
    r.u32()
  } else r.unknown('core import', code)
}
