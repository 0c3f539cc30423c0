import { SpindleError } from '../../errors.ts'
import {
  trap,
  type Handle,
  type HandleTable,
  type Instance,
  type ResourceType,
  type Store,
} from './runtime.ts'

// As in the canonical ABI: indices stay below 2^28. Far more than a request needs.
const MAX_HANDLES = 1 << 20

export function createHandleTable(): HandleTable {
  // Index 0 is never a handle, so that zeroed memory isn't one.
  const entries: Array<Handle | undefined> = [undefined]
  const free: number[] = []
  const get = (index: number, type: ResourceType): Handle => {
    const handle = entries[index >>> 0]
    if (handle === undefined) return trap(`unknown handle ${index >>> 0}`)
    if (handle.type !== type)
      trap(`handle ${index >>> 0} is a ${handle.type.name}, not a ${type.name}`)
    return handle
  }
  return {
    get,
    add(handle) {
      const index = free.pop() ?? entries.length
      if (index > MAX_HANDLES) {
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          `component holds more than ${MAX_HANDLES} handles`,
        )
      }
      entries[index] = handle
      return index
    },
    remove(index, type) {
      const handle = get(index, type)
      if (handle.lends > 0) trap(`handle ${index >>> 0} (${type.name}) is lent out`)
      entries[index >>> 0] = undefined
      free.push(index >>> 0)
      return handle
    },
    clear() {
      return entries.splice(1).filter((handle) => handle !== undefined)
    },
  }
}

export function createInstance(store: Store): Instance {
  const instance: Instance = { store, handles: createHandleTable(), entered: false, mayLeave: true }
  store.instances.push(instance)
  return instance
}
