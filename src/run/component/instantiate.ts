import { SpindleError } from '../../errors.ts'
import { createBudget, type Budget } from '../budget.ts'
import { abandonSubtask } from './async/async-lower.ts'
import type { CompiledComponent } from './compile.ts'
import { createStore } from './abi/handles.ts'
import type { CoreHost, HostImports } from './abi/host-imports.ts'
import { expect, exportOf, type Item } from './abi/items.ts'
import { hasJspi } from './abi/jspi.ts'
import { link } from './link.ts'
import { destroy, isHandle } from './abi/resource.ts'
import { assertAlive, changed, until } from './abi/runtime.ts'
import { abandon, isEnd } from './abi/transfer.ts'
import { createScope, signatureOf, type CodecTable } from './abi/types.ts'

interface InstantiateOptions {
  readonly imports: HostImports
  /** Default: whether the engine has JSPI. `false` makes all calls synchronous. */
  readonly jspi?: boolean
  /** `wasi_snapshot_preview1` of the component, or of a dependency of it, for one core module. Default: none. */
  readonly preview1?: (dependency?: string) => CoreHost
  /** What all of it may take. Default: as much as a request may where nothing else is said. */
  readonly budget?: Budget
  /** Throws once there is no time left: asked between its parts, and at each call of the guest's. */
  readonly assertInTime?: () => void
}

export interface ComponentInstance {
  readonly exports: ReadonlyMap<string, Item>
  /** Calls an exported function, by its path: interface and name, or only a name. */
  call(path: readonly string[], ...args: unknown[]): Promise<unknown>
  /** Resolves when no asynchronous call is under way any more; rejects when the component traps. */
  idle(): Promise<void>
  /** Drops what the guest still holds; the instance can't be used afterwards. */
  dispose(): void
}

/** What all instances of a component have in common. Types don't depend on what the host gives. */
interface Common {
  readonly codecs: CodecTable['common']
  /** Its parts have fitted together once, so they always do. */
  fits: boolean
}

const commons = new WeakMap<CompiledComponent, Common>()

function commonOf(compiled: CompiledComponent): Common {
  const known = commons.get(compiled)
  if (known !== undefined) return known
  const made: Common = { codecs: new Map(), fits: false }
  commons.set(compiled, made)
  return made
}

/**
 * Links a compiled component with the host's interfaces and instantiates it. No code is generated.
 *
 * Rejects with `ERR_CONTENT_INVALID` when its parts don't fit together, `ERR_UNSUPPORTED` for imports
 * the host doesn't know, `ERR_TRAP` when it traps while starting, `ERR_LIMIT_EXCEEDED` beyond the budget,
 * and as `assertInTime` throws.
 */
export async function instantiateComponent(
  compiled: CompiledComponent,
  options: InstantiateOptions,
): Promise<ComponentInstance> {
  const store = createStore(
    options.jspi ?? hasJspi(),
    options.budget ?? createBudget(),
    options.assertInTime,
  )
  // One table of types for all: what passes between them is the same type on both sides.
  const common = commonOf(compiled)
  const codecs: CodecTable = { common: common.codecs, own: new Map(), steps: 0 }
  const made = { count: 0 }
  const begin = (
    { component, modules }: CompiledComponent,
    imports: HostImports,
    filled: ReadonlyMap<string, Item>,
    dependency?: string,
  ): Promise<Map<string, Item>> =>
    link({ component, scope: createScope(undefined, codecs) }, undefined, {
      store,
      modules,
      imports,
      filled,
      preview1: () => options.preview1?.(dependency),
      fits: common.fits,
      made,
    })
  const filled = new Map<string, Item>()
  for (const dependency of compiled.dependencies ?? []) {
    const given = await begin(
      dependency.compiled,
      (name) => options.imports(name, dependency.name),
      new Map(),
      dependency.name,
    )
    for (const [importName, exportName] of dependency.filled)
      filled.set(importName, exportOf({ kind: 'instance', exports: given }, exportName))
  }
  const exports = await begin(compiled, options.imports, filled)
  common.fits = true
  return {
    exports,
    async call(path, ...args) {
      assertAlive(store)
      let item: Item = { kind: 'instance', exports }
      for (const name of path) item = exportOf(expect(item, 'instance', `"${name}"`), name)
      const func = expect(item, 'func', `"${path.join('#')}"`)
      return func.call(() => args, signatureOf(func.type))
    },
    idle: () => until(store, () => store.tasks === 0),
    dispose() {
      store.failure ??= disposed()
      for (const { cancel } of store.stoodFor) cancel?.()
      for (const { handles } of store.instances) {
        for (const entry of handles.clear()) {
          // Guests' destructors don't run any more; the host's resources are set free.
          if (isHandle(entry)) {
            const { type, representation, scope } = entry
            if (scope === undefined && type.owner === undefined) destroy(type, representation)
          } else if (isEnd(entry)) abandon(entry, store.failure)
          else abandonSubtask(entry)
        }
      }
      changed(store)
    },
  }
}

let disposal: SpindleError | undefined

/** One for all: it is made for every request, mostly for nobody, and its stack says nothing. */
function disposed(): SpindleError {
  return (disposal ??= new SpindleError('ERR_TRAP', 'the instance was disposed of'))
}
