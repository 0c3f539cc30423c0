import { SpindleError } from '../../../errors.ts'
import { liftAsync } from '../async/async-lift.ts'
import { createTask, lift } from '../abi/canon.ts'
import type { CanonContext, CoreFunction, Instance } from '../abi/model.ts'
import type { CoreHost } from '../abi/host-imports.ts'
import type { InstanceItem, Item } from '../abi/items.ts'
import { createEntry } from '../abi/jspi.ts'
import type { CanonOptions, ExternType, TypedModule } from '../binary/model.ts'
import { poison } from '../abi/runtime.ts'
import { createScope, isAsync, type Scope, type TypeEntry } from '../abi/types.ts'
import {
  bindExport,
  COMMAND,
  commandOf,
  INITIALIZE,
  MEMORY,
  reallocOf,
  type ExportNames,
} from './bind-export.ts'
import { bindImport } from './bind-import.ts'
import { ROOT } from './core-names.ts'
import { lowerImport } from './lower-import.ts'
import { openModule } from './open-module.ts'
import type { WorldItems } from './open-worlds.ts'
import { preview1Import } from './preview1-import.ts'
import { PREVIEW1 } from './preview1-signatures.ts'

type Exports = Readonly<Record<string, unknown>>
type CoreImports = Record<string, Record<string, CoreFunction>>

interface ModuleLinking {
  /** The component instance that the module makes up. */
  readonly instance: Instance
  readonly scope: Scope
  readonly importItem: (name: string, type: ExternType, scope: Scope) => Item
  readonly preview1: () => CoreHost | undefined
  readonly instantiate: (imports: CoreImports) => Promise<Exports>
}

/**
 * Makes an instance of a core module with its imports lowered and its exports lifted by its worlds;
 * gives what it exports as a component.
 *
 * Imports need the module's memory and allocator, which are there only once it is instantiated: they
 * are looked up when an import is called.
 */
export async function linkModule(
  typed: TypedModule,
  { instance, scope: outer, importItem, preview1, instantiate }: ModuleLinking,
): Promise<ReadonlyMap<string, Item>> {
  const { core } = typed
  const scope = createScope(outer, outer.codecs)
  let exports: Exports = Object.create(null)
  const coreFunction = (name: string | undefined): CoreFunction | undefined =>
    name === undefined ? undefined : (exports[name] as CoreFunction | undefined)
  const memory = (): WebAssembly.Memory | undefined => {
    const found = exports[MEMORY]
    return found instanceof WebAssembly.Memory ? found : undefined
  }
  const contextOf = (
    encoding: CanonOptions['encoding'],
    async: boolean,
    lifted?: ExportNames,
  ): CanonContext => {
    const realloc = reallocOf(core, lifted === undefined ? 'import' : 'export')
    return {
      instance,
      encoding,
      async,
      get memory() {
        return memory()
      },
      get realloc() {
        return coreFunction(realloc)
      },
      postReturn: coreFunction(lifted?.postReturn),
      callback: coreFunction(lifted?.callback),
    }
  }

  const worlds = openModule(typed, scope, {
    instance,
    importItem,
    core: coreFunction,
    compare: false,
  })
  const imports: CoreImports = Object.create(null)
  let host: CoreHost | undefined
  for (const one of core.imports) {
    const { module, name } = one
    const table = (imports[module] ??= Object.create(null) as CoreImports[string])
    if (module === PREVIEW1)
      table[name] = preview1Import(instance, (host ??= given(preview1)), name)
    else table[name] = lowerImport(bindImport(one, worlds), { instance, scope, contextOf })
  }
  exports = await instantiate(imports)
  const own = memory()
  if (own !== undefined) host?.attach(own)
  if (core.exports.has(INITIALIZE))
    await initialize(instance, coreFunction(INITIALIZE) as CoreFunction)

  const liftOne = (names: ExportNames, type: TypeEntry, encoding: CanonOptions['encoding']): Item =>
    (isAsync(type) ? liftAsync : lift)(
      coreFunction(names.func) as CoreFunction,
      contextOf(encoding, names.as !== 'sync', names),
      type,
      names.func,
    )
  const command = commandOf(core, worlds.exports.size)
  if (command !== undefined) return program(liftOne(command, procedure(scope), 'utf8'))
  return liftAll(worlds.exports, (interfaceName, name, type, encoding) =>
    liftOne(bindExport(core, interfaceName, name), type, encoding),
  )
}

function given(preview1: () => CoreHost | undefined): CoreHost {
  const host = preview1()
  if (host !== undefined) return host
  throw new SpindleError(
    'ERR_UNSUPPORTED',
    `the component imports "${PREVIEW1}", which this host doesn't know`,
  )
}

async function initialize(instance: Instance, core: CoreFunction): Promise<void> {
  try {
    await createEntry(instance, core)(createTask(instance, undefined), [])
  } catch (error) {
    throw poison(instance.store, error)
  }
}

function liftAll(
  exports: WorldItems,
  liftOne: (
    interfaceName: string,
    name: string,
    type: TypeEntry,
    encoding: CanonOptions['encoding'],
  ) => Item,
): ReadonlyMap<string, Item> {
  const lifted = new Map<string, Item>()
  for (const [interfaceName, items] of exports) {
    const inside = interfaceName === ROOT ? lifted : new Map<string, Item>()
    if (interfaceName !== ROOT) lifted.set(interfaceName, { kind: 'instance', exports: inside })
    for (const [name, item] of items)
      inside.set(
        name,
        item.kind === 'type'
          ? { kind: 'type', type: item.type }
          : liftOne(interfaceName, name, item.type, item.world.encoding),
      )
  }
  return lifted
}

/** The type of a function without parameters and result. */
function procedure(scope: Scope): TypeEntry {
  const def = { kind: 'func', async: false, params: [], result: undefined } as const
  return { kind: 'scoped', def, scope }
}

function program(run: Item): ReadonlyMap<string, Item> {
  const exports: InstanceItem['exports'] = new Map([['run', run]])
  return new Map([[COMMAND, { kind: 'instance', exports }]])
}
