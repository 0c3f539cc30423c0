import type { Declaration, Labelled, Primitive, TypeDef, ValueType } from './model.ts'
import { readCoreType } from './read-core-type.ts'
import { readAlias, readExternName, readExternType } from './read-extern.ts'
import { MAX_DEPTH, type Reader } from './reader.ts'

/** From 0x73 on. */
const PRIMITIVES = 'string char f64 f32 u64 s64 u32 s32 u16 s16 u8 s8 bool'.split(
  ' ',
) as readonly Primitive[]

function primitiveOf(code: number): Primitive | undefined {
  return PRIMITIVES[code - 0x73]
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
