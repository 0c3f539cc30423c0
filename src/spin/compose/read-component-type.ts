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
  type Member,
  OPTION,
  OWN,
  RECORD,
  RESULT,
  resolved,
  type Sort,
  STREAM,
  TUPLE,
  type TypeNode,
  type ValueType,
  VARIANT,
  type World,
} from './component-types.ts'
import type { Reader } from './wasm-reader.ts'

/** Types within types. Toolchains write some ten; deeper ones would exhaust the stack. */
export const MAX_TYPE_DEPTH = 100

/** The index spaces of a component or type, as far as imports and exports need them. */
export interface Scope {
  readonly types: TypeNode[]
  readonly funcs: TypeNode[]
  readonly instances: Instance[]
  readonly components: World[]
  readonly outer: Scope | undefined
}

export interface Instance {
  /** Name of the import that it is. */
  readonly from: string | undefined
  readonly type: TypeNode
}

export const INTERNAL: TypeNode = { kind: 'internal' }
export const EMPTY: World = { imports: [], exports: [], origins: new Map() }

export function createScope(outer?: Scope): Scope {
  return { types: [], funcs: [], instances: [], components: [], outer }
}

/** Puts what was imported or exported into its index space. */
export function declare(scope: Scope, { sort, type }: Member, from: string | undefined): void {
  if (sort === 'type') scope.types.push(type)
  else if (sort === 'func') scope.funcs.push(type)
  else if (sort === 'instance') scope.instances.push({ from, type })
  else if (sort === 'component') scope.components.push(EMPTY)
}

const members = new WeakMap<TypeNode, ReadonlyMap<string, Member>>()

export function memberOf(type: TypeNode | undefined, name: string): Member | undefined {
  if (type?.kind !== 'instance') return undefined
  let byName = members.get(type)
  if (byName === undefined) {
    byName = new Map(type.members.map((member) => [member.name, member]))
    members.set(type, byName)
  }
  return byName.get(name)
}

export function typeAt(scope: Scope, sort: Sort, index: number): TypeNode {
  if (sort === 'type') return scope.types[index] ?? INTERNAL
  if (sort === 'func') return scope.funcs[index] ?? INTERNAL
  return sort === 'instance' ? (scope.instances[index]?.type ?? INTERNAL) : INTERNAL
}

export function readAlias(r: Reader, scope: Scope): void {
  const [sort, isCore] = readAnySort(r)
  const target = r.byte()
  if (target === 2) {
    const count = r.u32()
    const index = r.u32()
    let from: Scope | undefined = scope
    for (let left = count; left > 0; left--) from = from?.outer
    if (isCore) return
    if (sort === 'type') scope.types.push(from?.types[index] ?? INTERNAL)
    if (sort === 'component') scope.components.push(from?.components[index] ?? EMPTY)
    return
  }
  const instance = scope.instances[r.u32()]
  const name = r.name()
  if (isCore || target !== 0) return
  const type = memberOf(instance?.type, name)?.type ?? INTERNAL
  if (sort === 'type')
    scope.types.push(
      instance?.from === undefined
        ? type
        : { kind: 'imported', from: instance.from, name, target: type },
    )
  else declare(scope, { name, sort, type }, undefined)
}

const SORTS: readonly (Sort | undefined)[] = [
  undefined,
  'func',
  'value',
  'type',
  'component',
  'instance',
]

function readAnySort(r: Reader): [sort: Sort, isCore: boolean] {
  const code = r.byte()
  if (code === 0) {
    r.byte()
    return ['core module', true]
  }
  return [SORTS[code] ?? r.fail(`unknown sort ${code}`), false]
}

export function readSort(r: Reader): Sort {
  return readAnySort(r)[0]
}

export function readExternName(r: Reader): string {
  if (r.byte() > 1) r.unsupported('a name of a newer form')
  return r.name()
}

export function readMember(r: Reader, scope: Scope): Member {
  const name = readExternName(r)
  return { name, ...readExtern(r, scope) }
}

export function readExtern(r: Reader, scope: Scope): { sort: Sort; type: TypeNode } {
  const typeOf = (): TypeNode => scope.types[r.u32()] ?? r.fail('there is no such type')
  const typeOfKind = (kind: 'func' | 'instance'): TypeNode => {
    const type = resolved(typeOf())
    if (type === INTERNAL) r.unsupported(`an import or export of a type that can't be followed`)
    return type.kind === kind ? type : r.fail(`the type of a ${kind} is not a ${kind} type`)
  }
  const code = r.byte()
  switch (code) {
    case 0x00:
      r.byte()
      r.u32()
      return { sort: 'core module', type: INTERNAL }
    case 0x01:
      return { sort: 'func', type: typeOfKind('func') }
    case 0x03:
      return r.byte() === 0
        ? { sort: 'type', type: { kind: 'named', target: typeOf() } }
        : { sort: 'type', type: { kind: 'resource' } }
    case 0x04:
      r.u32()
      return { sort: 'component', type: INTERNAL }
    case 0x05:
      return { sort: 'instance', type: typeOfKind('instance') }
    default:
      return r.unsupported(`an import or export of the kind 0x${code.toString(16)}`)
  }
}

const depths = new WeakMap<TypeNode, number>()

/** Notes how deep a type is, and refuses one that walks of it couldn't come through. */
function bounded<T extends TypeNode>(
  r: Reader,
  type: T,
  parts: Iterable<ValueType | undefined>,
): T {
  let depth = 0
  for (const part of parts) if (typeof part === 'object') depth = Math.max(depth, depthOf(part))
  if (depth >= MAX_TYPE_DEPTH) r.fail(`types are nested more than ${MAX_TYPE_DEPTH} deep`)
  depths.set(type, depth + 1)
  return type
}

function depthOf(type: TypeNode): number {
  let found = type
  let steps = 0
  while ((found.kind === 'named' || found.kind === 'imported') && steps++ < MAX_TYPE_DEPTH)
    found = found.target
  return (depths.get(found) ?? 0) + steps
}

export function readType(r: Reader, scope: Scope, level: number): TypeNode {
  if (level > MAX_TYPE_DEPTH) r.fail('types are nested too deep')
  const value = (): ValueType => {
    const code = r.peek()
    if ((code >= STRING_LOW && code <= 0x7f) || code === ERROR_CONTEXT) return r.byte()
    return indexed()
  }
  const indexed = (): TypeNode => {
    // A signed number in the format, never negative here.
    const index = r.u32()
    return scope.types[index] ?? r.fail(`there is no type ${index}`)
  }
  const optional = (): ValueType | undefined => (r.byte() === 0 ? undefined : value())
  const compound = (
    code: number,
    labels: readonly string[],
    types: readonly (ValueType | undefined)[],
    length?: number,
  ): CompoundType =>
    bounded(
      r,
      { kind: 'compound', code, labels, types, ...(length === undefined ? {} : { length }) },
      types,
    )
  const code = r.byte()
  if ((code >= STRING_LOW && code <= 0x7f) || code === ERROR_CONTEXT) return compound(code, [], [])
  switch (code) {
    case RECORD: {
      const fields = r.vector(() => [r.name(), value()] as const)
      return compound(
        code,
        fields.map(([label]) => label),
        fields.map(([, type]) => type),
      )
    }
    case VARIANT: {
      const cases = r.vector(() => {
        const label = r.name()
        const type = optional()
        if (r.byte() !== 0) r.unsupported('a variant case that refines another')
        return [label, type] as const
      })
      return compound(
        code,
        cases.map(([label]) => label),
        cases.map(([, type]) => type),
      )
    }
    case LIST:
    case OPTION:
      return compound(code, [], [value()])
    case FIXED_LIST: {
      const element = value()
      return compound(code, [], [element], r.u32())
    }
    case MAP:
      return compound(code, [], [value(), value()])
    case TUPLE:
      return compound(code, [], r.vector(value))
    case FLAGS:
    case ENUM:
      return compound(
        code,
        r.vector(() => r.name()),
        [],
      )
    case RESULT:
      return compound(code, [], [optional(), optional()])
    case STREAM:
    case FUTURE:
      return compound(code, [], [optional()])
    case OWN:
    case BORROW:
      return compound(code, [], [indexed()])
    case 0x40:
    case 0x43: {
      const params = r.vector(() => [r.name(), value()] as const)
      const hasResult = r.byte() === 0
      const result = hasResult ? value() : undefined
      if (!hasResult && r.u32() !== 0) r.unsupported('a function with named results')
      return bounded(r, { kind: 'func', async: code === 0x43, params, result }, [
        ...params.map(([, type]) => type),
        result,
      ])
    }
    case 0x3f:
      r.byte()
      if (r.byte() === 1) r.u32()
      return { kind: 'resource' }
    case 0x3e:
      r.byte()
      r.u32()
      if (r.byte() === 1) r.u32()
      return { kind: 'resource' }
    case 0x41:
      readDeclarations(r, createScope(scope), level)
      return INTERNAL
    case 0x42:
      return { kind: 'instance', members: readDeclarations(r, createScope(scope), level) }
    default:
      return r.fail(`unknown type 0x${code.toString(16)}`)
  }
}

const STRING_LOW = 0x73

function readDeclarations(r: Reader, scope: Scope, level: number): Member[] {
  const members: Member[] = []
  r.vector(() => {
    const code = r.byte()
    switch (code) {
      case 0x01:
        scope.types.push(readType(r, scope, level + 1))
        return
      case 0x02:
        readAlias(r, scope)
        return
      case 0x03:
      case 0x04: {
        const member = readMember(r, scope)
        if (code === 0x04) members.push(member)
        declare(scope, member, undefined)
        return
      }
      default:
        return r.unsupported('an interface with core types')
    }
  })
  return members
}
