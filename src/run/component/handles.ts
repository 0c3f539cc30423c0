import { SpindleError } from '../../errors.ts'
import { copiesBeyond } from './transfer.ts'
import { trap, type Entry, type HandleTable, type Instance, type Store } from './runtime.ts'

// As in the canonical ABI: indices stay below 2^28. Far more than a request needs.
const MAX_HANDLES = 1 << 20

function createHandleTable(): HandleTable {
  // Index 0 is never a handle, so that zeroed memory isn't one.
  const entries: Array<Entry | undefined> = [undefined]
  const free: number[] = []
  const get = (index: number): Entry =>
    entries[index >>> 0] ?? trap(`unknown handle ${index >>> 0}`)
  return {
    get,
    add(entry) {
      const index = free.pop() ?? entries.length
      if (index > MAX_HANDLES) {
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          `component holds more than ${MAX_HANDLES} handles`,
        )
      }
      entries[index] = entry
      return index
    },
    remove(index) {
      get(index)
      entries[index >>> 0] = undefined
      free.push(index >>> 0)
    },
    all: () => entries.filter((entry) => entry !== undefined),
    clear() {
      return entries.splice(1).filter((entry) => entry !== undefined)
    },
  }
}

export function createInstance(store: Store): Instance {
  const instance: Instance = {
    store,
    handles: createHandleTable(),
    suspends: false,
    entered: false,
    mayLeave: true,
    exclusive: undefined,
    backpressure: 0,
    queued: 0,
  }
  store.instances.push(instance)
  return instance
}

export function createStore(jspi: boolean): Store {
  const instances: Instance[] = []
  return {
    jspi,
    failure: undefined,
    instances,
    running: undefined,
    resuming: undefined,
    tasks: 0,
    change: undefined,
    outside: 0,
    watched: false,
    hostCopies: () => copiesBeyond(instances.flatMap(({ handles }) => handles.all())),
  }
}
