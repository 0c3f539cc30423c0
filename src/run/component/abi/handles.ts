import { SpindleError } from '../../../errors.ts'
import type { Budget } from '../../budget.ts'
import { copiesBeyond } from './transfer.ts'
import { poison, STACK_BYTES, trap } from './runtime.ts'
import type { Entry, HandleTable, Instance, Store } from './model.ts'

// As in the canonical ABI: indices stay below 2^28. Far more than a request needs.
const MAX_HANDLES = 1 << 20

// What stands behind a handle takes so much, about, beside what it says itself: measured are 200 bytes
// for fields, 500 for a timer, 900 for one end of a stream that is read.
const HANDLE_BYTES = 1024

function createHandleTable(budget: Budget): HandleTable {
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
      budget.charge(HANDLE_BYTES)
      entries[index] = entry
      return index
    },
    remove(index) {
      get(index)
      entries[index >>> 0] = undefined
      budget.release(HANDLE_BYTES)
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
    handles: createHandleTable(store.budget),
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

export function createStore(
  jspi: boolean,
  budget: Budget,
  assertInTime: () => void = () => {},
): Store {
  const instances: Instance[] = []
  const store: Store = {
    jspi,
    budget,
    stackBytes: STACK_BYTES,
    assertInTime,
    failure: undefined,
    instances,
    running: undefined,
    resuming: undefined,
    tasks: 0,
    change: undefined,
    outside: 0,
    stoodFor: new Set(),
    watched: false,
    hostCopies: () => copiesBeyond(instances.flatMap(({ handles }) => handles.all())),
  }
  // Wherever it is seen, and whatever a host makes of the error: the guest goes no further.
  budget.onExceeded = (error) => void poison(store, error)
  return store
}
