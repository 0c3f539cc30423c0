import {
  BORROW,
  type CompoundType,
  ENUM,
  ERROR_CONTEXT,
  FIXED_LIST,
  FLAGS,
  FUTURE,
  LIST,
  MAP,
  OPTION,
  OWN,
  RECORD,
  RESULT,
  resolved,
  STREAM,
  STRING,
  TUPLE,
  type ValueType,
  VARIANT,
} from './component-types.ts'

export const I32 = 0x7f
export const I64 = 0x7e
export const F32 = 0x7d
const F64 = 0x7c

/** Core types of primitives, with their size, by code. */
const PRIMITIVES: Readonly<Record<number, readonly [core: readonly number[], size: number]>> = {
  0x7f: [[I32], 1],
  0x7e: [[I32], 1],
  0x7d: [[I32], 1],
  0x7c: [[I32], 2],
  0x7b: [[I32], 2],
  0x7a: [[I32], 4],
  0x79: [[I32], 4],
  0x78: [[I64], 8],
  0x77: [[I64], 8],
  0x76: [[F32], 4],
  0x75: [[F64], 8],
  0x74: [[I32], 4],
  [STRING]: [[I32, I32], 8],
  [ERROR_CONTEXT]: [[I32], 4],
}

/**
 * A value type as the canonical ABI sees it. `undefined` for types that are not known or have no
 * layout here.
 */
export interface Layout {
  readonly size: number
  readonly alignment: number
  /** Core types of its values as parameters. */
  readonly flat: readonly number[]
  /** Of records and tuples: where each part begins. Of variants: where the payload begins. */
  readonly offsets: readonly number[]
}

export function alignTo(at: number, alignment: number): number {
  return Math.ceil(at / alignment) * alignment
}

/** @see {@link https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md Canonical ABI, Alignment, Element Size and Flattening} */
export function layoutOf(type: ValueType | undefined): Layout | undefined {
  if (type === undefined) return { size: 0, alignment: 1, flat: [], offsets: [] }
  if (typeof type === 'number') return primitive(type)
  const found = resolved(type)
  return found.kind === 'compound' ? compound(found) : undefined
}

function primitive(code: number): Layout | undefined {
  const found = PRIMITIVES[code]
  if (found === undefined) return undefined
  const [flat, size] = found
  return { size, alignment: code === STRING ? 4 : size, flat, offsets: [] }
}

function compound(type: CompoundType): Layout | undefined {
  switch (type.code) {
    case LIST:
    case MAP:
      return { size: 8, alignment: 4, flat: [I32, I32], offsets: [] }
    case OWN:
    case BORROW:
    case STREAM:
    case FUTURE:
      return { size: 4, alignment: 4, flat: [I32], offsets: [] }
    case RECORD:
    case TUPLE:
      return sequence(type.types)
    case FIXED_LIST:
      return undefined
    case FLAGS: {
      const size = type.labels.length <= 8 ? 1 : type.labels.length <= 16 ? 2 : 4
      return { size, alignment: size, flat: [I32], offsets: [] }
    }
    case ENUM:
    case VARIANT:
    case OPTION:
    case RESULT:
      return cases(casesOf(type).map(([, payload]) => payload))
    default:
      return primitive(type.code)
  }
}

/** The cases of everything that is one of several. */
export function casesOf({
  code,
  labels,
  types,
}: CompoundType): readonly (readonly [label: string, payload: ValueType | undefined])[] {
  if (code === OPTION) return [['none', undefined] as const, ['some', types[0]] as const]
  if (code === RESULT) return [['ok', types[0]] as const, ['err', types[1]] as const]
  return labels.map((label, index) => [label, types[index]] as const)
}

export function discriminantSize(count: number): number {
  return count <= 0x100 ? 1 : count <= 0x10000 ? 2 : 4
}

function sequence(types: readonly (ValueType | undefined)[]): Layout | undefined {
  let size = 0
  let alignment = 1
  const flat: number[] = []
  const offsets: number[] = []
  for (const type of types) {
    const layout = layoutOf(type)
    if (layout === undefined) return undefined
    size = alignTo(size, layout.alignment)
    offsets.push(size)
    size += layout.size
    alignment = Math.max(alignment, layout.alignment)
    flat.push(...layout.flat)
  }
  return { size: alignTo(size, alignment), alignment, flat, offsets }
}

function cases(payloads: readonly (ValueType | undefined)[]): Layout | undefined {
  let alignment = discriminantSize(payloads.length)
  const start = alignment
  let size = 0
  const flat: number[] = []
  for (const payload of payloads) {
    const layout = layoutOf(payload)
    if (layout === undefined) return undefined
    alignment = Math.max(alignment, layout.alignment)
    size = Math.max(size, layout.size)
    layout.flat.forEach((core, index) => {
      const other = flat[index]
      flat[index] =
        other === undefined || other === core
          ? core
          : [other, core].every((one) => one === I32 || one === F32)
            ? I32
            : I64
    })
  }
  const offset = alignTo(start, alignment)
  return {
    size: alignTo(offset + size, alignment),
    alignment,
    flat: [I32, ...flat],
    offsets: [offset],
  }
}
