import { SpindleError } from '../../../errors.ts'
import { MAX_FLAT_ASYNC_PARAMS, MAX_FLAT_PARAMS, primitive, type CodecBody } from './codec.ts'
import type { Codec, CoreType, ResourceType } from './model.ts'
import { list } from './list.ts'
import type { ComponentDef, TypeDef, ValueType } from '../binary/model.ts'
import { MAX_DEPTH } from '../binary/reader.ts'
import { flags, record, tuple } from './record.ts'
import { borrow, own } from './resource.ts'
import { transfer, transferKey } from './transfer.ts'
import { enumeration, option, result, variant } from './variant.ts'

/** A type definition together with the index spaces that its indices mean. */
interface ScopedType {
  readonly kind: 'scoped'
  readonly def: TypeDef
  readonly scope: Scope
  codec?: Codec
  signature?: Signature
}

export type TypeEntry = ScopedType | ResourceType

/** What an outer alias can reach. */
export interface Scope {
  readonly types: TypeEntry[]
  readonly modules: WebAssembly.Module[]
  readonly components: ComponentClosure[]
  readonly outer: Scope | undefined
  readonly codecs: CodecTable
}

export interface ComponentClosure {
  readonly component: ComponentDef
  readonly scope: Scope
}

/** One codec per type, so that equal types are the same object, however often they are written. */
export interface CodecTable {
  /** Of all instances of a component. */
  readonly common: Map<string, Codec>
  /** Of one instance: those with its resources. */
  readonly own: Map<string, Codec>
  /** Definitions and declarations gone through so far to make that instance. */
  steps: number
}

// An application has some thousands; beyond this linking would take seconds.
const MAX_STEPS = 1_000_000
// Of a type's key, what takes about as long as another step.
const KEY_PER_STEP = 64

/** Counts what is about to be gone through: components and types that are nested can multiply. */
export function spend(codecs: CodecTable, steps: number): void {
  if ((codecs.steps += steps) > MAX_STEPS) {
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `component goes through more than ${MAX_STEPS} definitions`,
    )
  }
}

export function createScope(outer: Scope | undefined, codecs: CodecTable): Scope {
  return { types: [], modules: [], components: [], outer, codecs }
}

export interface Signature {
  /** Equal for equal function types. */
  readonly key: string
  readonly params: readonly Codec[]
  readonly result: Codec | undefined
  /** All parameters as one tuple in memory, when they are too many for core parameters. */
  readonly spilled: Codec | undefined
  /** The same for callers that don't stand still: fewer fit. */
  readonly asyncSpilled: Codec | undefined
  /** The result goes through memory. */
  readonly returned: boolean
}

export function invalid(message: string): never {
  throw new SpindleError('ERR_CONTENT_INVALID', `malformed component: ${message}`)
}

export function at<T>(space: readonly T[], index: number, what: string): T {
  const found = space[index]
  return found === undefined ? invalid(`there is no ${what} ${index}`) : found
}

function intern(
  table: CodecTable,
  key: string,
  make: () => CodecBody,
  parts: ReadonlyArray<Codec | undefined> = [],
): Codec {
  // By its length: a type of a million labels may be written anew in each of many components.
  spend(table, key.length / KEY_PER_STEP)
  const known = table.common.get(key) ?? table.own.get(key)
  if (known !== undefined) return known
  const body = make()
  const borrows = body.kind === 'borrow' || parts.some((part) => part?.borrows === true)
  const handles =
    body.kind === 'borrow' || body.kind === 'own' || parts.some((part) => part?.handles === true)
  const pointers =
    body.kind === 'string' || body.kind === 'list' || parts.some((part) => part?.pointers === true)
  const codec: Codec = { ...body, id: ++codecCount, borrows, handles, pointers }
  ;(handles ? table.own : table.common).set(key, codec)
  return codec
}

let codecCount = 0

const resourceIds = new WeakMap<ResourceType, number>()
let resourceCount = 0

function resourceId(type: ResourceType): number {
  const id = resourceIds.get(type) ?? ++resourceCount
  resourceIds.set(type, id)
  return id
}

export function resourceAt(scope: Scope, index: number): ResourceType {
  const entry = at(scope.types, index, 'type')
  return entry.kind === 'resource' ? entry : invalid(`type ${index} is no resource`)
}

export function codecOf(type: ValueType, scope: Scope, depth = 0): Codec {
  if (typeof type === 'string') return intern(scope.codecs, type, () => primitive(type))
  const entry = at(scope.types, type, 'type')
  if (entry.kind === 'resource') return invalid(`resource type ${type} is used as a value`)
  return (entry.codec ??= codecOfDef(entry.def, entry.scope, depth + 1))
}

function codecOfDef(def: TypeDef, scope: Scope, depth: number): Codec {
  if (depth > MAX_DEPTH) {
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `component has types nested more than ${MAX_DEPTH} deep`,
    )
  }
  const of = (type: ValueType): Codec => codecOf(type, scope, depth)
  const maybe = (type: ValueType | undefined): Codec | undefined =>
    type === undefined ? undefined : of(type)
  const table = scope.codecs
  switch (def.kind) {
    case 'primitive':
      return of(def.type)
    case 'list': {
      const element = of(def.element)
      return intern(table, `list ${element.id}`, () => list(element), [element])
    }
    case 'option': {
      const element = of(def.element)
      return intern(table, `option ${element.id}`, () => option(element), [element])
    }
    case 'tuple': {
      const elements = def.elements.map(of)
      return intern(
        table,
        `tuple ${elements.map((e) => e.id).join()}`,
        () => tuple(elements),
        elements,
      )
    }
    case 'record': {
      const fields = def.fields.map(([label, type]) => [label, of(type)] as const)
      return intern(
        table,
        `record ${keyOf(fields)}`,
        () => record(fields),
        fields.map(([, codec]) => codec),
      )
    }
    case 'variant': {
      const cases = def.cases.map(([label, type]) => [label, maybe(type)] as const)
      return intern(
        table,
        `variant ${keyOf(cases)}`,
        () => variant(cases),
        cases.map(([, codec]) => codec),
      )
    }
    case 'result': {
      const ok = maybe(def.ok)
      const err = maybe(def.err)
      return intern(table, `result ${ok?.id},${err?.id}`, () => result(ok, err), [ok, err])
    }
    case 'flags':
      return intern(table, `flags ${JSON.stringify(def.labels)}`, () => flags(def.labels))
    case 'enum':
      return intern(table, `enum ${JSON.stringify(def.labels)}`, () => enumeration(def.labels))
    case 'own':
    case 'borrow': {
      const type = resourceAt(scope, def.resource)
      return intern(table, `${def.kind} #${resourceId(type)}`, () =>
        (def.kind === 'own' ? own : borrow)(type),
      )
    }
    case 'stream':
    case 'future': {
      const element = maybe(def.element)
      // It would outlive the call that lends it.
      if (element?.borrows === true) return invalid(`a ${def.kind} of something borrowed`)
      const key = transferKey(def.kind, element)
      return intern(table, key, () => transfer(key, def.kind), [element])
    }
    case 'unsupported':
      throw new SpindleError('ERR_UNSUPPORTED', `component feature not supported: ${def.feature}`)
    default:
      return invalid(`a ${def.kind} type is used as a value`)
  }
}

function keyOf(parts: ReadonlyArray<readonly [string, Codec | undefined]>): string {
  return JSON.stringify(parts.map(([label, codec]) => [label, codec?.id]))
}

/** Whether a function may wait while others of its component are called. */
export function isAsync(entry: TypeEntry): boolean {
  return entry.kind === 'scoped' && entry.def.kind === 'func' && entry.def.async
}

export function signatureOf(entry: TypeEntry): Signature {
  if (entry.kind === 'resource') return invalid('a resource type is used as a function type')
  return (entry.signature ??= makeSignature(entry))
}

function makeSignature({ def, scope }: ScopedType): Signature {
  if (def.kind === 'unsupported') {
    throw new SpindleError('ERR_UNSUPPORTED', `component feature not supported: ${def.feature}`)
  }
  if (def.kind !== 'func') return invalid(`a ${def.kind} type is used as a function type`)
  const params = def.params.map(([, type]) => codecOf(type, scope))
  const returns = def.result === undefined ? undefined : codecOf(def.result, scope)
  if (returns?.borrows === true) return invalid('a function returns something borrowed')
  const flat = params.flatMap((codec): readonly CoreType[] => codec.flat)
  const ids = params.map((codec) => codec.id).join()
  const spill = (most: number): Codec | undefined =>
    flat.length > most
      ? intern(scope.codecs, `tuple ${ids}`, () => tuple(params), params)
      : undefined
  return {
    key: `${def.async ? 'async ' : ''}${ids} ${returns?.id}`,
    params,
    result: returns,
    spilled: spill(MAX_FLAT_PARAMS),
    asyncSpilled: spill(MAX_FLAT_ASYNC_PARAMS),
    returned: (returns?.flat.length ?? 0) > 1,
  }
}
