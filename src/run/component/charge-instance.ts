import { bytesOfInstance, costOf, PAGE } from './binary/module-cost.ts'
import { METER } from './binary/meter-module.ts'
import { THROWING_STACK_BYTES } from './abi/runtime.ts'
import type { Store } from './abi/model.ts'

type Imports = Record<string, Readonly<Record<string, unknown>>>

/**
 * Charges an instance of a core module before it is made: what it takes to begin with. Adds the meter
 * to its imports, so that what its memories grow by is charged too. Throws `ERR_LIMIT_EXCEEDED`.
 *
 * A module that nobody has metered, which only the option `compile` gives, is free.
 */
export function chargeInstance(store: Store, module: WebAssembly.Module, imports: Imports): void {
  const { budget } = store
  const cost = costOf(module)
  if (cost === undefined) return
  budget.charge(bytesOfInstance(cost, imports))
  if (cost.throws) store.stackBytes = THROWING_STACK_BYTES
  const grow = (pages: number): number => (budget.tryCharge((pages >>> 0) * PAGE) ? 1 : 0)
  imports[METER.module] = { [METER.name]: grow }
}
