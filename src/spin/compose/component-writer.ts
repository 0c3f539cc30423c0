import { leb, signedLeb } from '../../bytes/leb.ts'
import { concat } from '../../bytes/stream.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SpindleError } from '../../errors.ts'
import {
  BORROW,
  type CompoundType,
  ENUM,
  FIXED_LIST,
  FLAGS,
  type FuncType,
  FUTURE,
  OWN,
  RECORD,
  RESULT,
  type Sort,
  STREAM,
  TUPLE,
  type TypeNode,
  type ValueType,
  VARIANT,
} from './component-types.ts'

/** Types written in one composition. Real applications come to some thousand. */
const MAX_TYPES = 1_000_000

export type Part = number | Uint8Array | readonly Part[]

export function text(value: string): Part {
  const bytes = encodeUtf8(value)
  return [leb(bytes.length), bytes]
}

export function vector(items: readonly Part[]): Part {
  return [leb(items.length), items]
}

export function bytesOf(part: Part): Uint8Array {
  const chunks: Uint8Array[] = []
  let run: number[] = []
  const flush = (): void => {
    if (run.length > 0) chunks.push(Uint8Array.from(run))
    run = []
  }
  const walk = (one: Part): void => {
    if (typeof one === 'number') run.push(one)
    else if (one instanceof Uint8Array) {
      flush()
      chunks.push(one)
    } else for (const inner of one) walk(inner)
  }
  walk(part)
  flush()
  return concat(chunks)
}

/** A length, then what it is the length of. */
export function sized(part: Part): Part {
  const bytes = part instanceof Uint8Array ? part : bytesOf(part)
  return [leb(bytes.length), bytes]
}

const SORTS: Readonly<Record<Sort, readonly number[]>> = {
  'core module': [0, 0x11],
  func: [1],
  value: [2],
  type: [3],
  component: [4],
  instance: [5],
}

function sortOf(sort: Sort): Part {
  return SORTS[sort]
}

/** Where types are written: into a component, or into the type of one of its interfaces. */
export interface TypeScope {
  /** Index of what was written already. */
  readonly known: Map<TypeNode, number>
  define(type: Part): number
  /** Index of a type that is not of this scope. */
  outside(type: TypeNode): number
}

/** Counts the types of one composition: each interface that uses one writes it anew. */
type TypeBudget = { left: number }

export function createTypeBudget(): TypeBudget {
  return { left: MAX_TYPES }
}

/** Writes a type with all that it consists of, each once, and gives its index. */
export function writeType(type: TypeNode, scope: TypeScope, budget: TypeBudget): number {
  const known = scope.known.get(type)
  if (known !== undefined) return known
  if (--budget.left < 0)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `the components to compose have more than ${MAX_TYPES} types in their interfaces`,
    )
  const value = (of: ValueType): Part =>
    typeof of === 'number' ? of : signedLeb(writeType(of, scope, budget))
  const index =
    type.kind === 'compound'
      ? scope.define(compound(type, value, (of) => leb(writeType(of, scope, budget))))
      : type.kind === 'func'
        ? scope.define(func(type, value))
        : scope.outside(type)
  scope.known.set(type, index)
  return index
}

type WriteValue = (type: ValueType) => Part

function func({ async, params, result }: FuncType, value: WriteValue): Part {
  const written = params.map(([label, type]): Part => [text(label), value(type)])
  return [async ? 0x43 : 0x40, vector(written), result === undefined ? [1, 0] : [0, value(result)]]
}

function compound(
  { code, labels, types, length }: CompoundType,
  value: WriteValue,
  index: (type: TypeNode) => Part,
): Part {
  const some = (type: ValueType | undefined): Part => value(type as ValueType)
  const maybe = (type: ValueType | undefined): Part => (type === undefined ? 0 : [1, value(type)])
  switch (code) {
    case RECORD:
      return [code, vector(types.map((type, at) => [text(labels[at] as string), some(type)]))]
    case VARIANT:
      return [code, vector(types.map((type, at) => [text(labels[at] as string), maybe(type), 0]))]
    case FLAGS:
    case ENUM:
      return [code, vector(labels.map(text))]
    case TUPLE:
      return [code, vector(types.map(some))]
    case RESULT:
    case STREAM:
    case FUTURE:
      return [code, types.map(maybe)]
    case OWN:
    case BORROW:
      return [code, types.map((type) => index(type as TypeNode))]
    case FIXED_LIST:
      return [code, types.map(some), leb(length ?? 0)]
    default:
      return [code, types.map(some)]
  }
}

/** A component that is being written, definition by definition, with its index spaces. */
export interface ComponentWriter extends TypeScope {
  importAs(name: string, sort: 'func' | 'type' | 'instance', type: Part): number
  /** An export of an instance as an item of its own. */
  alias(sort: Sort, instance: number, name: string): number
  component(bytes: Uint8Array): number
  instantiate(component: number, args: readonly (readonly [string, Sort, number])[]): number
  /** `type` gives a function the names that its types have from outside. */
  exportAs(name: string, sort: Sort, index: number, type?: number): number
  coreModule(bytes: Uint8Array): number
  coreInstantiate(module: number, args: readonly (readonly [string, number])[]): number
  coreBundle(functions: readonly (readonly [string, number])[]): number
  coreAlias(sort: 'func' | 'memory', instance: number, name: string): number
  /** Makes a core function that drops, or makes, handles of a resource. */
  resourceFunction(what: 'new' | 'drop', type: number): number
  lift(func: number, type: number, memory: number, realloc: number): number
  finish(): Uint8Array
}

const CORE_SORTS = { func: 0, memory: 2 } as const

export function createComponentWriter(outside: (type: TypeNode) => number): ComponentWriter {
  const parts: Part[] = [Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0)]
  const counts = new Map<string, number>()
  const section = (id: number, content: Part): void => void parts.push([id, sized(content)])
  const next = (space: string): number => {
    const index = counts.get(space) ?? 0
    counts.set(space, index + 1)
    return index
  }
  const one = (id: number, space: string, item: Part): number => {
    section(id, [1, item])
    return next(space)
  }
  return {
    known: new Map(),
    outside,
    define: (type) => one(7, 'type', type),
    importAs: (name, sort, type) => one(10, sort, [0, text(name), type]),
    alias: (sort, instance, name) => one(6, sort, [sortOf(sort), 0, leb(instance), text(name)]),
    component(bytes) {
      section(4, bytes)
      return next('component')
    },
    instantiate: (component, args) =>
      one(5, 'instance', [
        [0, leb(component)],
        vector(args.map(([name, sort, index]) => [text(name), sortOf(sort), leb(index)])),
      ]),
    exportAs: (name, sort, index, type) =>
      one(11, sort, [
        [0, text(name), sortOf(sort), leb(index)],
        type === undefined ? 0 : [1, 1, leb(type)],
      ]),
    coreModule(bytes) {
      section(1, bytes)
      return next('core module')
    },
    coreInstantiate: (module, args) =>
      one(2, 'core instance', [
        0,
        leb(module),
        vector(args.map(([name, index]) => [text(name), 0x12, leb(index)])),
      ]),
    coreBundle: (functions) =>
      one(2, 'core instance', [
        1,
        vector(functions.map(([name, index]) => [text(name), 0, leb(index)])),
      ]),
    coreAlias: (sort, instance, name) =>
      one(6, `core ${sort}`, [0, CORE_SORTS[sort], 1, leb(instance), text(name)]),
    resourceFunction: (what, type) =>
      one(8, 'core func', [what === 'new' ? 0x02 : 0x03, leb(type)]),
    lift: (func, type, memory, realloc) =>
      one(8, 'func', [
        [0, 0, leb(func)],
        vector([0, [0x03, leb(memory)], [0x04, leb(realloc)]]),
        leb(type),
      ]),
    finish: () => bytesOf(parts),
  }
}
