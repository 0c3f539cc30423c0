import { supplyAdvice } from '../component/abi/host-imports.ts'
import { SpindleError } from '../../errors.ts'
import type { Budget } from '../budget.ts'
import { chargeInstance } from '../component/charge-instance.ts'
import { createStore } from '../component/abi/handles.ts'
import type { HostInterface } from '../component/abi/items.ts'
import { METER } from '../component/binary/meter-module.ts'
import { promising, suspending, waitsWithoutJspi } from '../component/abi/jspi.ts'
import { assertAlive, poison } from '../component/abi/runtime.ts'
import type { CoreFunction, CoreValue, Store } from '../component/abi/model.ts'

/** An instance of a core module that talks to the host without the component model. */
export interface CoreModuleInstance {
  readonly memory: WebAssembly.Memory
  has(name: string): boolean
  /** Calls an export to its end; waits for it where the engine can. */
  run(name: string, ...args: CoreValue[]): Promise<unknown>
  /** Calls an export that may not wait, such as an allocator. */
  call(name: string, ...args: CoreValue[]): CoreValue | undefined
}

interface CoreModuleOptions {
  /** By the import's module name. What is missing is refused when it is called. */
  readonly hosts: Readonly<Record<string, HostInterface>>
  readonly jspi: boolean
  readonly budget: Budget
  readonly assertInTime: () => void
  /** Between instantiating and the first call. */
  readonly attach: (memory: WebAssembly.Memory) => void
}

export function moduleExports(module: WebAssembly.Module): ReadonlySet<string> {
  return new Set(WebAssembly.Module.exports(module).map(({ name }) => name))
}

export async function instantiateModule(
  module: WebAssembly.Module,
  { hosts, jspi, budget, assertInTime, attach }: CoreModuleOptions,
): Promise<CoreModuleInstance> {
  const store = createStore(jspi, budget, assertInTime)
  const imports: Record<string, Record<string, CoreFunction>> = Object.create(null)
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (from === METER.module) continue
    if (kind !== 'function')
      throw new SpindleError('ERR_UNSUPPORTED', `the module imports a ${kind}, "${from}"."${name}"`)
    const host = Object.hasOwn(hosts, from) ? hosts[from] : undefined
    const table = (imports[from] ??= Object.create(null) as Record<string, CoreFunction>)
    table[name] = bind(store, host, from, name)
  }
  const instance = await guard(store, () => {
    chargeInstance(store, module, imports)
    return WebAssembly.instantiate(module, imports)
  })
  const { memory } = instance.exports
  if (!(memory instanceof WebAssembly.Memory))
    throw new SpindleError('ERR_CONTENT_INVALID', 'the module exports no memory')
  attach(memory)
  const exported = (name: string): CoreFunction => {
    const found = Object.hasOwn(instance.exports, name) ? instance.exports[name] : undefined
    if (typeof found !== 'function')
      throw new SpindleError('ERR_CONTENT_INVALID', `the module exports no function "${name}"`)
    return found as CoreFunction
  }
  return {
    memory,
    has: (name) => Object.hasOwn(instance.exports, name),
    run: (name, ...args) =>
      guard(store, () => (jspi ? promising(exported(name)) : exported(name))(...args)),
    call: (name, ...args) => exported(name)(...args) as CoreValue | undefined,
  }
}

async function guard<T>(store: Store, action: () => T | Promise<T>): Promise<T> {
  assertAlive(store)
  try {
    const value = await action()
    // The guest may have caught the exception that ended it.
    if (store.failure !== undefined) throw store.failure
    return value
  } catch (error) {
    throw poison(store, error)
  }
}

function bind(
  store: Store,
  host: HostInterface | undefined,
  from: string,
  name: string,
): CoreFunction {
  const fn =
    host !== undefined && Object.hasOwn(host.functions, name) ? host.functions[name] : undefined
  const waits = host?.waits?.has(name) === true
  const core: CoreFunction = (...args) => {
    try {
      assertAlive(store)
      store.assertInTime()
      if (fn === undefined)
        throw new SpindleError(
          'ERR_UNSUPPORTED',
          `the module calls "${from}"."${name}", which this host doesn't have: ${supplyAdvice(from)}`,
        )
      const value = (fn as unknown as CoreFunction)(...args)
      if (value instanceof Promise && !store.jspi) throw waitsWithoutJspi(name)
      return value instanceof Promise
        ? value.catch((error: unknown) => {
            throw poison(store, error)
          })
        : value
    } catch (error) {
      throw poison(store, error)
    }
  }
  return waits && store.jspi ? suspending(core) : core
}
