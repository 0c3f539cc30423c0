/** Primitive value types by their code in the binary format: `bool` 0x7f to `error-context` 0x64. */
export type Primitive = number

export type ValueType = Primitive | TypeNode

/**
 * A type of the component model. References are to other nodes, not to indices: the same node can be
 * written into any component.
 */
export type TypeNode =
  | CompoundType
  | FuncType
  | InstanceType
  | { readonly kind: 'resource' }
  /** Exported or imported under a name, which hosts require of records and the like. */
  | { readonly kind: 'named'; readonly target: TypeNode }
  /** A type that an imported interface exports. */
  | {
      readonly kind: 'imported'
      readonly from: string
      readonly name: string
      readonly target: TypeNode
    }
  /** One that no import can need, such as a resource of the component's own. */
  | { readonly kind: 'internal' }

/** Everything that is made of labels and other types: what they mean depends on the code. */
export interface CompoundType {
  readonly kind: 'compound'
  readonly code: number
  readonly labels: readonly string[]
  /** `undefined` for a case without a payload. */
  readonly types: readonly (ValueType | undefined)[]
  /** Of a list of fixed length. */
  readonly length?: number
}

export interface FuncType {
  readonly kind: 'func'
  readonly async: boolean
  readonly params: readonly (readonly [label: string, type: ValueType])[]
  readonly result: ValueType | undefined
}

export interface InstanceType {
  readonly kind: 'instance'
  readonly members: readonly Member[]
}

export interface Member {
  readonly name: string
  readonly sort: Sort
  readonly type: TypeNode
}

export type Sort = 'func' | 'type' | 'instance' | 'component' | 'core module' | 'value'

export const RECORD = 0x72
export const VARIANT = 0x71
export const LIST = 0x70
export const TUPLE = 0x6f
export const FLAGS = 0x6e
export const ENUM = 0x6d
export const OPTION = 0x6b
export const RESULT = 0x6a
export const OWN = 0x69
export const BORROW = 0x68
export const FIXED_LIST = 0x67
export const STREAM = 0x66
export const FUTURE = 0x65
export const MAP = 0x63
export const STRING = 0x73
export const ERROR_CONTEXT = 0x64

/** What a component needs and gives. */
export interface World {
  readonly imports: readonly Member[]
  readonly exports: readonly Member[]
  /** Of types in imported interfaces: which one, and their name there. */
  readonly origins: ReadonlyMap<TypeNode, TypeOrigin>
}

export interface TypeOrigin {
  readonly from: string
  readonly name: string
}

/** The type itself, whatever names it goes by. */
export function resolved(type: TypeNode): TypeNode {
  let found = type
  while (found.kind === 'named' || found.kind === 'imported') found = found.target
  return found
}

/**
 * Gives equal types the same number. Resources count as equal here: which one a handle is of is
 * only known when components are linked.
 */
export function createTypeTable(): (type: ValueType | undefined) => number {
  const byNode = new Map<TypeNode, number>()
  const byKey = new Map<string, number>()
  const intern = (key: string): number => {
    const known = byKey.get(key)
    if (known !== undefined) return known
    byKey.set(key, byKey.size + 1)
    return byKey.size
  }
  const numberOf = (given: ValueType | undefined): number => {
    if (given === undefined) return 0
    if (typeof given === 'number') return intern(String(given))
    const type = resolved(given)
    const known = byNode.get(type)
    if (known !== undefined) return known
    const number = intern(keyOf(type))
    byNode.set(type, number)
    return number
  }
  const keyOf = (type: TypeNode): string => {
    switch (type.kind) {
      case 'compound':
        return JSON.stringify([type.code, type.length, type.labels, type.types.map(numberOf)])
      case 'func':
        return JSON.stringify([
          type.async,
          type.params.map(([label, param]) => [label, numberOf(param)]),
          numberOf(type.result),
        ])
      case 'instance':
        return JSON.stringify(type.members.map(({ name, type: of }) => [name, numberOf(of)]))
      default:
        return type.kind
    }
  }
  return numberOf
}
