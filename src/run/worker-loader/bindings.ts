import { quotePath } from '../../bytes/path.ts'
import { SpindleError } from '../../errors.ts'
import type { RunApp } from '../app/run-app.ts'

/** Variables in a Worker's environment, named as Spin names them in a process environment. */
export const VARIABLE_PREFIX = 'SPIN_VARIABLE_'

export function variableBinding(name: string): string {
  return VARIABLE_PREFIX + name.toUpperCase()
}

/** The binding of the KV namespace for the store of a label. */
export function keyValueBinding(label: string): string {
  return `KEY_VALUE_${label.toUpperCase().replace(/[^A-Z0-9_]/g, '_')}`
}

/** What is bound to a Worker of an application, by the names that its environment has for it. */
interface AppBindings {
  /** Of KV namespaces, one for each store. */
  readonly keyValue: readonly string[]
  /** Of variables without a default: the Worker does not start without them. */
  readonly required: readonly string[]
}

/**
 * The bindings that an application needs. They consist of letters, digits and `_`: labels and names
 * come from an artifact, and bindings stand in configurations and command lines.
 * @throws `ERR_UNSUPPORTED` for two stores with one binding, and for a required variable whose name
 * no environment can have.
 */
export function bindingsOf({ components, variables }: RunApp): AppBindings {
  const stores = new Map<string, string>()
  for (const label of [...components.values()].flatMap((one) => one.keyValueStores)) {
    const binding = keyValueBinding(label)
    const other = stores.get(binding)
    if (other !== undefined && other !== label)
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        `the stores ${quotePath(other)} and ${quotePath(label)} would share the KV namespace ${binding}: rename one of them`,
      )
    stores.set(binding, label)
  }
  const required: string[] = []
  for (const [name, { default: value }] of variables) {
    if (value !== undefined) continue
    if (!VARIABLE_NAME.test(name))
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        `the required variable ${quotePath(name)} can't be a binding of a Worker: rename it to lower-case letters, digits and "_"`,
      )
    required.push(variableBinding(name))
  }
  return { keyValue: [...stores.keys()], required }
}

/** What {@link variableBinding} can be undone for. */
const VARIABLE_NAME = /^[a-z][a-z0-9_]*$/

/** The binding of the parent's handler, in Workers that the Worker Loader made. */
export const HOST_BINDING = 'HOST'
