import { isSpindleError, SpindleError } from '../../errors.ts'
import { lift, lower, resourceDrop, resourceNew, resourceRep, type CanonContext } from './canon.ts'
import type { CompiledComponent } from './compile.ts'
import { createInstance } from './handles.ts'
import { importFromHost, type HostImports } from './host.ts'
import { expect, exportOf, type FuncItem, type InstanceItem, type Item } from './items.ts'
import { assertFits, outerScope, outerType } from './match.ts'
import type { Alias, CanonOptions, CoreSort, Definition, SortIndex } from './model.ts'
import { destroy } from './resource.ts'
import {
  assertAlive, hasJspi, poison, type CoreFunction, type Instance, type Store, type ResourceType,
} from './runtime.ts'
import {
  at, createScope, invalid, resourceAt, signatureOf, type ComponentClosure, type Scope,
} from './types.ts'

export interface InstantiateOptions {
  readonly imports: HostImports
  /** Default: whether the engine has JSPI. `false` makes all calls synchronous. */
  readonly jspi?: boolean
}

export interface ComponentInstance {
  readonly exports: ReadonlyMap<string, Item>
  /** Calls an exported function, by its path: interface and name, or only a name. */
  call(path: readonly string[], ...args: unknown[]): Promise<unknown>
  /** Drops what the guest still holds; the instance can't be used afterwards. */
  dispose(): void
}

/** All index spaces of one component while it is put together. */
interface Spaces {
  readonly scope: Scope
  readonly instance: Instance
  readonly funcs: FuncItem[]
  readonly instances: InstanceItem[]
  readonly coreInstances: Array<Readonly<Record<string, unknown>>>
  readonly core: Readonly<Record<Exclude<CoreSort, 'type' | 'module' | 'instance'>, unknown[]>>
  readonly exports: Map<string, Item>
}

interface Linking {
  readonly store: Store
  readonly modules: CompiledComponent['modules']
  readonly imports: HostImports
  /** Instances made so far; nested components can multiply. */
  count: number
}

// A composition of hundreds is thinkable; nesting that doubles at each level is an attack.
const MAX_INSTANCES = 10_000

/**
 * Links a compiled component with the host's interfaces and instantiates it. No code is generated.
 *
 * Rejects with `ERR_CONTENT_INVALID` when its parts don't fit together, `ERR_UNSUPPORTED` for imports
 * the host doesn't know, `ERR_TRAP` when it traps while starting.
 */
export async function instantiateComponent(compiled: CompiledComponent, options: InstantiateOptions): Promise<ComponentInstance> {
  const store: Store = { jspi: options.jspi ?? hasJspi(), failure: undefined, instances: [] }
  const linking: Linking = { store, modules: compiled.modules, imports: options.imports, count: 0 }
  const root: ComponentClosure = { component: compiled.component, scope: createScope(undefined, new Map()) }
  const exports = await link(root, undefined, linking)
  return {
    exports,
    async call(path, ...args) {
      assertAlive(store)
      let item: Item = { kind: 'instance', exports }
      for (const name of path) item = exportOf(expect(item, 'instance', `"${name}"`), name)
      const func = expect(item, 'func', `"${path.join('#')}"`)
      return func.call(args, signatureOf(func.type))
    },
    dispose() {
      store.failure ??= new SpindleError('ERR_TRAP', 'the instance was disposed of')
      for (const { handles } of store.instances) {
        for (const { type, representation, scope } of handles.clear()) {
          // Guests' destructors don't run any more; the host's resources are set free.
          if (scope === undefined && type.owner === undefined) destroy(type, representation)
        }
      }
    },
  }
}

async function link(closure: ComponentClosure, args: ReadonlyMap<string, Item> | undefined, linking: Linking): Promise<Map<string, Item>> {
  if (++linking.count > MAX_INSTANCES) {
    throw new SpindleError('ERR_LIMIT_EXCEEDED', `component instantiates more than ${MAX_INSTANCES} components`)
  }
  const spaces: Spaces = {
    // The closure's scope is that of the component around; this one is a child of it.
    scope: createScope(closure.scope, closure.scope.codecs),
    instance: createInstance(linking.store),
    funcs: [],
    instances: [],
    coreInstances: [],
    core: { func: [], table: [], memory: [], global: [], tag: [] },
    exports: new Map(),
  }
  for (const definition of closure.component.definitions) {
    const step = define(definition, spaces, args, linking)
    if (step !== undefined) await step
  }
  return spaces.exports
}

function define(d: Definition, spaces: Spaces, args: ReadonlyMap<string, Item> | undefined, linking: Linking): Promise<void> | undefined {
  const { scope, instance, core } = spaces
  switch (d.kind) {
    case 'core module':
      scope.modules.push(linking.modules.get(d) ?? invalid('a core module was not compiled'))
      return
    case 'core instantiate': return instantiateCore(d, spaces, linking)
    case 'core exports':
      spaces.coreInstances.push(bag(d.exports.map(([name, sort, index]) => [name, coreItem(spaces, sort, index)])))
      return
    case 'core type': return
    case 'component':
      scope.components.push({ component: d.component, scope })
      return
    case 'instantiate': return instantiateNested(d, spaces, linking)
    case 'exports':
      spaces.instances.push({ kind: 'instance', exports: items(spaces, d.exports) })
      return
    case 'alias': return void alias(d, spaces)
    case 'type':
      scope.types.push(d.def.kind === 'resource' ? guestResource(d.def.destructor, spaces) : { kind: 'scoped', def: d.def, scope })
      return
    case 'lift': {
      const func = at(core.func, d.func, 'core function') as CoreFunction
      const context = canonContext(d.options, spaces)
      spaces.funcs.push(lift(func, context, at(scope.types, d.type, 'type'), `function ${spaces.funcs.length}`))
      return
    }
    case 'lower': {
      core.func.push(lower(at(spaces.funcs, d.func, 'function'), canonContext(d.options, spaces)))
      return
    }
    case 'resource.new':
      core.func.push(resourceNew(instance, ownResource(spaces, d.type)))
      return
    case 'resource.rep':
      core.func.push(resourceRep(instance, ownResource(spaces, d.type)))
      return
    case 'resource.drop':
      core.func.push(resourceDrop(instance, resourceAt(scope, d.type)))
      return
    case 'start': {
      const func = at(spaces.funcs, d.func, 'function')
      const started = func.call([], signatureOf(func.type))
      return started instanceof Promise ? started.then(() => {}) : undefined
    }
    case 'import': {
      const item = args === undefined
        ? importFromHost(d.name, d.type, scope, linking.imports)
        : args.get(d.name) ?? invalid(`a component is instantiated without its import "${d.name}"`)
      if (args !== undefined) assertFits(item, d.type, scope, `import "${d.name}"`)
      push(spaces, item)
      return
    }
    case 'export': {
      const item = itemAt(spaces, d.item)
      if (spaces.exports.has(d.name)) invalid(`export "${d.name}" is given twice`)
      spaces.exports.set(d.name, item)
      // An export takes the next index of its sort.
      push(spaces, item)
      return
    }
  }
}

function bag(entries: Iterable<readonly [string, unknown]>): Record<string, unknown> {
  const object: Record<string, unknown> = Object.create(null)
  for (const [name, value] of entries) object[name] = value
  return object
}

async function instantiateCore(d: Extract<Definition, { kind: 'core instantiate' }>, spaces: Spaces, { store }: Linking): Promise<void> {
  const module = at(spaces.scope.modules, d.module, 'core module')
  const imports = bag(d.args.map(([name, index]) => [name, at(spaces.coreInstances, index, 'core instance')]))
  try {
    const { exports } = await WebAssembly.instantiate(module, imports as WebAssembly.Imports)
    assertAlive(store)
    spaces.coreInstances.push(exports)
  } catch (error) {
    if (isSpindleError(store.failure)) throw store.failure
    if (error instanceof WebAssembly.LinkError || error instanceof TypeError) {
      throw new SpindleError('ERR_CONTENT_INVALID', `malformed component: a core module doesn't link: ${error.message}`, { cause: error })
    }
    throw poison(store, error)
  }
}

async function instantiateNested(d: Extract<Definition, { kind: 'instantiate' }>, spaces: Spaces, linking: Linking): Promise<void> {
  const closure = at(spaces.scope.components, d.component, 'component')
  const exports = await link(closure, items(spaces, d.args), linking)
  spaces.instances.push({ kind: 'instance', exports })
}

function items(spaces: Spaces, entries: ReadonlyArray<readonly [string, SortIndex]>): Map<string, Item> {
  const map = new Map(entries.map(([name, item]) => [name, itemAt(spaces, item)]))
  return map.size === entries.length ? map : invalid('a name is given twice')
}

function guestResource(destructor: number | undefined, { core, instance }: Spaces): ResourceType {
  const drop = destructor === undefined ? undefined : (at(core.func, destructor, 'core function') as CoreFunction)
  return {
    kind: 'resource',
    name: 'resource',
    owner: instance,
    ...(drop !== undefined && { drop: (representation: unknown) => drop(representation as number) }),
  }
}

function ownResource({ scope, instance }: Spaces, index: number): ResourceType {
  const type = resourceAt(scope, index)
  return type.owner === instance ? type : invalid(`resource type ${index} belongs to another component`)
}

function canonContext(options: CanonOptions, { core, instance }: Spaces): CanonContext {
  const func = (index: number | undefined): CoreFunction | undefined =>
    index === undefined ? undefined : (at(core.func, index, 'core function') as CoreFunction)
  const memory = options.memory === undefined ? undefined : at(core.memory, options.memory, 'core memory')
  if (memory !== undefined && !(memory instanceof WebAssembly.Memory)) invalid('a canonical option names no memory')
  return {
    instance,
    encoding: options.encoding,
    memory: memory as WebAssembly.Memory | undefined,
    realloc: func(options.realloc),
    postReturn: func(options.postReturn),
  }
}

function coreItem({ core }: Spaces, sort: CoreSort, index: number): unknown {
  return sort === 'type' || sort === 'module' || sort === 'instance'
    ? invalid(`a core ${sort} can't be exported by an instance`)
    : at(core[sort], index, `core ${sort}`)
}

function itemAt({ scope, funcs, instances }: Spaces, { sort, index }: SortIndex): Item {
  switch (sort) {
    case 'func': return at(funcs, index, 'function')
    case 'instance': return at(instances, index, 'instance')
    case 'type': return { kind: 'type', type: at(scope.types, index, 'type') }
    case 'component': return { kind: 'component', closure: at(scope.components, index, 'component') }
    case 'core module': return { kind: 'core module', module: at(scope.modules, index, 'core module') }
    default: return invalid(`a ${sort} stands where an item is due`)
  }
}

function push({ scope, funcs, instances }: Spaces, item: Item): void {
  switch (item.kind) {
    case 'func': return void funcs.push(item)
    case 'instance': return void instances.push(item)
    case 'type': return void scope.types.push(item.type)
    case 'component': return void scope.components.push(item.closure)
    case 'core module': return void scope.modules.push(item.module)
  }
}

function alias(d: Alias, spaces: Spaces): void {
  if (d.from === 'export') {
    const item = exportOf(at(spaces.instances, d.instance, 'instance'), d.name)
    if (item.kind !== d.sort) invalid(`export "${d.name}" is a ${item.kind}, not a ${d.sort}`)
    return push(spaces, item)
  }
  if (d.from === 'core export') {
    const sort = d.sort.slice(5)
    const exports = at(spaces.coreInstances, d.instance, 'core instance')
    if (!d.sort.startsWith('core ') || !Object.hasOwn(spaces.core, sort)) invalid(`a ${d.sort} is aliased from a core instance`)
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
