import { ROOT } from './core-names.ts'
import { exportOf, type FuncItem, type InstanceItem, type Item } from '../abi/items.ts'
import { declareType } from '../abi/match.ts'
import type { Declaration, ExternType, World } from '../binary/model.ts'
import type { ResourceType } from '../abi/model.ts'
import {
  at,
  createScope,
  invalid,
  signatureOf,
  spend,
  type Scope,
  type TypeEntry,
} from '../abi/types.ts'

/** A function of a world: of imports with what is called. */
export interface WorldFunction {
  readonly kind: 'func'
  readonly type: TypeEntry
  readonly world: World
  readonly item: FuncItem | undefined
}

type WorldItem = WorldFunction | { readonly kind: 'type'; readonly type: TypeEntry }

/** Items by their interface's name, `$root` for what stands directly in a world, then by their own. */
export type WorldItems = ReadonlyMap<string, ReadonlyMap<string, WorldItem>>

export interface OpenWorlds {
  readonly imports: WorldItems
  readonly exports: WorldItems
}

interface OpenOptions {
  readonly importItem: (name: string, type: ExternType, scope: Scope) => Item
  /** A resource that the module exports; the same for the same names. */
  readonly exportedResource: (interfaceName: string, name: string) => ResourceType
  /** Whether to compare what several worlds say of one function. */
  readonly compare: boolean
}

/**
 * Resolves the types of worlds, and merges them: what several of them have under one name is the same.
 * Throws `ERR_CONTENT_INVALID` where they contradict each other.
 */
export function openWorlds(
  worlds: readonly World[],
  outer: Scope,
  options: OpenOptions,
): OpenWorlds {
  const imports = createItems(options.compare)
  const exports = createItems(options.compare)
  for (const world of worlds) openWorld(world, outer, options, imports, exports)
  return { imports: imports.all, exports: exports.all }
}

interface Items {
  readonly all: WorldItems
  readonly add: (interfaceName: string, name: string, item: WorldItem) => void
  /** Also where it has no items. */
  readonly begin: (interfaceName: string) => Map<string, WorldItem>
}

function createItems(compare: boolean): Items {
  const all = new Map<string, Map<string, WorldItem>>()
  const begin = (interfaceName: string): Map<string, WorldItem> => {
    const items = all.get(interfaceName) ?? new Map<string, WorldItem>()
    all.set(interfaceName, items)
    return items
  }
  return {
    all,
    begin,
    add(interfaceName, name, item) {
      const items = begin(interfaceName)
      const known = items.get(name)
      if (known === undefined) items.set(name, item)
      else if (compare) assertSame(known, item, `"${interfaceName}"."${name}"`)
    },
  }
}

function assertSame(a: WorldItem, b: WorldItem, what: string): void {
  if (a.kind === 'type' && b.kind === 'type') return
  if (a.kind === 'type' || b.kind === 'type')
    return invalid(`${what} is a function in one world and a type in another`)
  const sections = `"${a.world.section}" and "${b.world.section}"`
  if (a.world.encoding !== b.world.encoding)
    invalid(`${what} has other string encodings in the sections ${sections}`)
  if (signatureOf(a.type).key !== signatureOf(b.type).key)
    invalid(`${what} has other types in the sections ${sections}`)
}

function openWorld(
  world: World,
  outer: Scope,
  { importItem, exportedResource }: OpenOptions,
  imports: Items,
  exports: Items,
): void {
  const { declarations } = world
  spend(outer.codecs, declarations.length)
  const scope = createScope(outer, outer.codecs)
  const instances: InstanceItem[] = []

  const importOne = (name: string, extern: ExternType): void => {
    const item = importItem(name, extern, scope)
    if (item.kind === 'instance') {
      instances.push(item)
      imports.begin(name)
      for (const [label, inner] of item.exports) addImport(name, label, inner)
    } else {
      if (item.kind === 'type') scope.types.push(item.type)
      addImport(ROOT, name, item)
    }
  }
  const addImport = (interfaceName: string, name: string, item: Item): void => {
    if (item.kind === 'func')
      imports.add(interfaceName, name, { kind: 'func', type: item.type, world, item })
    else if (item.kind === 'type' && item.type.kind === 'resource')
      imports.add(interfaceName, name, { kind: 'type', type: item.type })
  }
  /** A type takes its place in the scope around it; gives it. */
  const exportOne = (
    interfaceName: string,
    name: string,
    extern: ExternType,
    within: Scope,
  ): TypeEntry | undefined => {
    if (extern.kind === 'func') {
      const type = at(within.types, extern.index, 'type')
      exports.add(interfaceName, name, { kind: 'func', type, world, item: undefined })
      return undefined
    }
    if (extern.kind !== 'type')
      return invalid(`a world exports the ${extern.kind} "${name}" in "${interfaceName}"`)
    const type =
      extern.equals === undefined
        ? exportedResource(interfaceName, name)
        : at(within.types, extern.equals, 'type')
    exports.add(interfaceName, name, { kind: 'type', type })
    within.types.push(type)
    return type
  }
  const exportInstance = (name: string, inside: readonly Declaration[], around: Scope): void => {
    spend(around.codecs, inside.length)
    exports.begin(name)
    const within = createScope(around, around.codecs)
    const items = new Map<string, Item>()
    for (const declaration of inside) {
      if (declaration.kind === 'export') {
        const type = exportOne(name, declaration.name, declaration.type, within)
        if (type !== undefined) items.set(declaration.name, { kind: 'type', type })
      } else declareType(declaration, within)
    }
    instances.push({ kind: 'instance', exports: items })
  }

  for (const declaration of declarations) {
    if (declaration.kind === 'import') importOne(declaration.name, declaration.type)
    else if (declaration.kind === 'export') {
      const { name, type } = declaration
      if (type.kind !== 'instance') exportOne(ROOT, name, type, scope)
      else {
        const entry = at(scope.types, type.index, 'type')
        if (entry.kind === 'resource' || entry.def.kind !== 'instance')
          return invalid(`type ${type.index} is no instance type`)
        exportInstance(name, entry.def.declarations, entry.scope)
      }
    } else if (declaration.kind === 'alias' && declaration.from === 'export') {
      const instance = at(instances, declaration.instance, 'instance')
      const item = exportOf(instance, declaration.name)
      if (item.kind !== 'type')
        return invalid(`a world aliases the ${item.kind} "${declaration.name}"`)
      scope.types.push(item.type)
    } else declareType(declaration, scope)
  }
}
