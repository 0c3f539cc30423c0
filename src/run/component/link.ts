import { isSpindleError, SpindleError } from '../../errors.ts'
import { asyncBuiltin } from './async/async-builtins.ts'
import { liftAsync } from './async/async-lift.ts'
import { lowerAsync } from './async/async-lower.ts'
import { lift, lower } from './abi/canon.ts'
import type { CompiledComponent } from './compile.ts'
import { createInstance } from './abi/handles.ts'
import {
  importFromHost,
  type CoreHost,
  type HostImports,
  type HostResources,
} from './abi/host-imports.ts'
import { importsOf } from './typed-module/externs.ts'
import type { Item } from './abi/items.ts'
import { assertFits } from './abi/match.ts'
import { linkModule } from './typed-module/link-module.ts'
import type { Definition, ExternType, TypedModule } from './binary/model.ts'
import { chargeInstance } from './charge-instance.ts'
import { resourceDrop, resourceNew, resourceRep } from './abi/resource-builtins.ts'
import { assertAlive, poison } from './abi/runtime.ts'
import type { CoreFunction, Store } from './abi/model.ts'
import {
  alias,
  canonContext,
  coreItem,
  guestResource,
  itemAt,
  items,
  ownResource,
  push,
  type Spaces,
} from './spaces.ts'
import {
  at,
  createScope,
  invalid,
  isAsync,
  resourceAt,
  signatureOf,
  spend,
  type ComponentClosure,
  type Scope,
} from './abi/types.ts'

interface Linking {
  readonly store: Store
  readonly modules: CompiledComponent['modules']
  readonly imports: HostImports
  /** Imports that dependencies fill. */
  readonly filled: ReadonlyMap<string, Item>
  readonly fits: boolean
  /** `wasi_snapshot_preview1` for one core module. */
  readonly preview1: () => CoreHost | undefined
  /** Instances made so far; nested components can multiply. */
  readonly made: { count: number }
}

// A composition of hundreds is thinkable; nesting that doubles at each level is an attack.
const MAX_INSTANCES = 10_000

// What we hold for an instance of a component, and for what each of its definitions makes, about.
const COMPONENT_BYTES = 4096
const DEFINITION_BYTES = 512

/** Goes through a component's definitions in order; gives what it exports. */
export async function link(
  closure: ComponentClosure,
  args: ReadonlyMap<string, Item> | undefined,
  linking: Linking,
): Promise<Map<string, Item>> {
  if (++linking.made.count > MAX_INSTANCES) {
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `component instantiates more than ${MAX_INSTANCES} components`,
    )
  }
  const { definitions } = closure.component
  spend(closure.scope.codecs, definitions.length)
  linking.store.budget.charge(COMPONENT_BYTES + definitions.length * DEFINITION_BYTES)
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
  for (const definition of definitions) {
    try {
      // Start functions may take long, and many of them together longer still.
      linking.store.assertInTime()
      const step = define(definition, spaces, args, linking)
      if (step !== undefined) await step
    } catch (error) {
      throw located(error, definition.offset)
    }
  }
  return spaces.exports
}

/** A refusal of what parts make together says where one of them stands, as parsing does. */
function located(error: unknown, offset: number | undefined): unknown {
  const isFaulty = isSpindleError(error) && error.code === 'ERR_CONTENT_INVALID'
  if (!isFaulty || offset === undefined || /\(at byte \d+\)$/.test(error.message)) return error
  return new SpindleError(error.code, `${error.message} (at byte ${offset})`, { cause: error })
}

function define(
  d: Definition,
  spaces: Spaces,
  args: ReadonlyMap<string, Item> | undefined,
  linking: Linking,
): Promise<void> | undefined {
  const { scope, instance, core } = spaces
  switch (d.kind) {
    case 'core module':
      scope.modules.push(linking.modules.get(d) ?? invalid('a core module was not compiled'))
      return
    case 'typed module':
      return linkTyped(d, spaces, linking)
    case 'core instantiate':
      return instantiateCore(d, spaces, linking)
    case 'core exports':
      spaces.coreInstances.push(
        bag(d.exports.map(([name, sort, index]) => [name, coreItem(spaces, sort, index)])),
      )
      return
    case 'core type':
      return
    case 'component':
      scope.components.push({ component: d.component, scope })
      return
    case 'instantiate':
      return instantiateNested(d, spaces, linking)
    case 'exports':
      spaces.instances.push({ kind: 'instance', exports: items(spaces, d.exports) })
      return
    case 'alias':
      return void alias(d, spaces)
    case 'type':
      scope.types.push(
        d.def.kind === 'resource'
          ? guestResource(d.def.destructor, spaces)
          : { kind: 'scoped', def: d.def, scope },
      )
      return
    case 'lift': {
      const func = at(core.func, d.func, 'core function') as CoreFunction
      const context = canonContext(d.options, spaces)
      const type = at(scope.types, d.type, 'type')
      const name = `function ${spaces.funcs.length}`
      if (context.async && !isAsync(type))
        invalid(`${name} is lifted as what its type is not: async`)
      if (context.callback !== undefined && !context.async)
        invalid(`${name} has a callback, but is not async`)
      spaces.funcs.push((isAsync(type) ? liftAsync : lift)(func, context, type, name))
      return
    }
    case 'lower': {
      const context = canonContext(d.options, spaces)
      const func = at(spaces.funcs, d.func, 'function')
      core.func.push((context.async ? lowerAsync : lower)(func, context))
      return
    }
    case 'async builtin':
      core.func.push(
        asyncBuiltin(d.builtin, {
          instance,
          scope,
          context: (options) => canonContext(options, spaces),
        }),
      )
      return
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
      const started = func.call(() => [], signatureOf(func.type))
      return started instanceof Promise ? started.then(() => {}) : undefined
    }
    case 'import': {
      if (args !== undefined && !args.has(d.name))
        invalid(`a component is instantiated without its import "${d.name}"`)
      push(spaces, importOne(d.name, d.type, scope, args, linking))
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

/** Around the outermost component there is the host, and what fills imports in its stead. */
function importOne(
  name: string,
  type: ExternType,
  scope: Scope,
  args: ReadonlyMap<string, Item> | undefined,
  { filled, fits, imports }: Linking,
  resources?: HostResources,
): Item {
  const given = (args ?? filled).get(name)
  if (given === undefined) return importFromHost(name, type, scope, imports, resources)
  if (!fits) assertFits(given, type, scope, `import "${name}"`)
  return given
}

function bag<T>(entries: Iterable<readonly [string, T]>): Record<string, T> {
  const object: Record<string, T> = Object.create(null)
  for (const [name, value] of entries) object[name] = value
  return object
}

async function instantiateCore(
  d: Extract<Definition, { kind: 'core instantiate' }>,
  spaces: Spaces,
  { store }: Linking,
): Promise<void> {
  const module = at(spaces.scope.modules, d.module, 'core module')
  const imports = bag(
    d.args.map(([name, index]) => [name, at(spaces.coreInstances, index, 'core instance')]),
  )
  spaces.coreInstances.push(await instantiateModule(store, module, imports))
}

/** A core module that carries its worlds is all that its component has. */
async function linkTyped(d: TypedModule, spaces: Spaces, linking: Linking): Promise<void> {
  const { scope, instance, exports } = spaces
  const module = linking.modules.get(d.module) ?? invalid('a core module was not compiled')
  const used = new Set(importsOf({ definitions: [d] }).map(({ name }) => name))
  const resources: HostResources = new Map()
  // What the module doesn't use may be unknown to the host.
  const imports: HostImports = (name) =>
    linking.imports(name) ?? (used.has(name) ? undefined : { functions: {} })
  const lifted = await linkModule(d, {
    instance,
    scope,
    importItem: (name, type, within) =>
      importOne(name, type, within, undefined, { ...linking, imports }, resources),
    preview1: linking.preview1,
    instantiate: (given) => instantiateModule(linking.store, module, given),
  })
  for (const [name, item] of lifted) exports.set(name, item)
}

async function instantiateModule(
  store: Store,
  module: WebAssembly.Module,
  imports: Record<string, Readonly<Record<string, unknown>>>,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    chargeInstance(store, module, imports)
    const { exports } = await WebAssembly.instantiate(module, imports as WebAssembly.Imports)
    assertAlive(store)
    return exports
  } catch (error) {
    if (isSpindleError(store.failure)) throw store.failure
    if (error instanceof WebAssembly.LinkError || error instanceof TypeError) {
      throw new SpindleError(
        'ERR_CONTENT_INVALID',
        `malformed component: a core module doesn't link: ${error.message}`,
        { cause: error },
      )
    }
    throw poison(store, error)
  }
}

async function instantiateNested(
  d: Extract<Definition, { kind: 'instantiate' }>,
  spaces: Spaces,
  linking: Linking,
): Promise<void> {
  const closure = at(spaces.scope.components, d.component, 'component')
  const exports = await link(closure, items(spaces, d.args), linking)
  spaces.instances.push({ kind: 'instance', exports })
}
