import { SpindleError } from '../../../errors.ts'
import { fromCore } from '../abi/canon.ts'
import type { CoreHost } from '../abi/host-imports.ts'
import { mayWait, standStill } from '../abi/jspi.ts'
import { isPromise, poison, whileOutside } from '../abi/runtime.ts'
import type { CoreFunction, Instance } from '../abi/model.ts'
import { PREVIEW1 } from './preview1-signatures.ts'

/** The core function that a module is given for an import of preview1: values pass as they are. */
export function preview1Import(instance: Instance, { host }: CoreHost, name: string): CoreFunction {
  const { store } = instance
  const label = `${PREVIEW1}#${name}`
  const fn = Object.hasOwn(host.functions, name) ? host.functions[name] : undefined
  const core = fromCore(instance, label, (...values) => {
    if (fn === undefined)
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        `the component calls "${label}", which this host doesn't have`,
      )
    const value = (fn as unknown as CoreFunction)(...values)
    if (!isPromise(value)) return value
    // Without JSPI nobody waits for it: its rejection is reported nowhere.
    value.catch(() => {})
    whileOutside(store, value)
    return standStill(store, label, () =>
      value.catch((error: unknown) => {
        throw poison(store, error)
      }),
    )
  })
  return host.waits?.has(name) === true ? mayWait(instance, core) : core
}
