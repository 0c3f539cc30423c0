import { exportOf, type FuncItem, type InstanceItem, type Item } from './abi/items.ts'
import { outerScope, outerType } from './abi/match.ts'
import type { Alias, CanonOptions, CoreSort, SortIndex } from './binary/model.ts'
import type { CanonContext, CoreFunction, Instance, ResourceType } from './abi/model.ts'
import { at, invalid, resourceAt, type Scope } from './abi/types.ts'

/** All index spaces of one component while it is put together. */
export interface Spaces {
  readonly scope: Scope
  readonly instance: Instance
  readonly funcs: FuncItem[]
  readonly instances: InstanceItem[]
  readonly coreInstances: Array<Readonly<Record<string, unknown>>>
  readonly core: Readonly<Record<Exclude<CoreSort, 'type' | 'module' | 'instance'>, unknown[]>>
  readonly exports: Map<string, Item>
}

export function items(
  spaces: Spaces,
  entries: ReadonlyArray<readonly [string, SortIndex]>,
): Map<string, Item> {
  const map = new Map(entries.map(([name, item]) => [name, itemAt(spaces, item)]))
  return map.size === entries.length ? map : invalid('a name is given twice')
}

export function guestResource(
  destructor: number | undefined,
  { core, instance }: Spaces,
): ResourceType {
  const drop =
    destructor === undefined
      ? undefined
      : (at(core.func, destructor, 'core function') as CoreFunction)
  return {
    kind: 'resource',
    name: 'resource',
    owner: instance,
    ...(drop !== undefined && {
      drop: (representation: unknown) => drop(representation as number),
    }),
  }
}

export function ownResource({ scope, instance }: Spaces, index: number): ResourceType {
  const type = resourceAt(scope, index)
  return type.owner === instance
    ? type
    : invalid(`resource type ${index} belongs to another component`)
}

export function canonContext(options: CanonOptions, { core, instance }: Spaces): CanonContext {
  const func = (index: number | undefined): CoreFunction | undefined =>
    index === undefined ? undefined : (at(core.func, index, 'core function') as CoreFunction)
  const memory =
    options.memory === undefined ? undefined : at(core.memory, options.memory, 'core memory')
  if (memory !== undefined && !(memory instanceof WebAssembly.Memory))
    invalid('a canonical option names no memory')
  return {
    instance,
    encoding: options.encoding,
    memory: memory as WebAssembly.Memory | undefined,
    realloc: func(options.realloc),
    postReturn: func(options.postReturn),
    async: options.async,
    callback: func(options.callback),
  }
}

export function coreItem({ core }: Spaces, sort: CoreSort, index: number): unknown {
  return sort === 'type' || sort === 'module' || sort === 'instance'
    ? invalid(`a core ${sort} can't be exported by an instance`)
    : at(core[sort], index, `core ${sort}`)
}

export function itemAt({ scope, funcs, instances }: Spaces, { sort, index }: SortIndex): Item {
  switch (sort) {
    case 'func':
      return at(funcs, index, 'function')
    case 'instance':
      return at(instances, index, 'instance')
    case 'type':
      return { kind: 'type', type: at(scope.types, index, 'type') }
    case 'component':
      return { kind: 'component', closure: at(scope.components, index, 'component') }
    case 'core module':
      return { kind: 'core module', module: at(scope.modules, index, 'core module') }
    default:
      return invalid(`a ${sort} stands where an item is due`)
  }
}

export function push({ scope, funcs, instances }: Spaces, item: Item): void {
  switch (item.kind) {
    case 'func':
      return void funcs.push(item)
    case 'instance':
      return void instances.push(item)
    case 'type':
      return void scope.types.push(item.type)
    case 'component':
      return void scope.components.push(item.closure)
    case 'core module':
      return void scope.modules.push(item.module)
  }
}

export function alias(d: Alias, spaces: Spaces): void {
  if (d.from === 'export') {
    const item = exportOf(at(spaces.instances, d.instance, 'instance'), d.name)
    if (item.kind !== d.sort) invalid(`export "${d.name}" is a ${item.kind}, not a ${d.sort}`)
    return push(spaces, item)
  }
  if (d.from === 'core export') {
    const sort = d.sort.slice(5)
    const exports = at(spaces.coreInstances, d.instance, 'core instance')
    if (!d.sort.startsWith('core ') || !Object.hasOwn(spaces.core, sort))
      invalid(`a ${d.sort} is aliased from a core instance`)
    if (!Object.hasOwn(exports, d.name)) invalid(`a core instance has no export "${d.name}"`)
    spaces.core[sort as keyof Spaces['core']].push(exports[d.name])
    return
  }
  if (d.from !== 'outer') return
  const { scope } = spaces
  const outer = outerScope(scope, d.count)
  if (d.sort === 'type') scope.types.push(outerType(scope, d.count, d.index))
  else if (d.sort === 'core module') scope.modules.push(at(outer.modules, d.index, 'core module'))
  else if (d.sort === 'component') scope.components.push(at(outer.components, d.index, 'component'))
  else if (d.sort !== 'core type') invalid(`a ${d.sort} is aliased from outside`)
}
