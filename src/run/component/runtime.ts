import { isSpindleError, SpindleError } from '../../errors.ts'

export type CoreValue = number | bigint
export type CoreFunction = (...args: CoreValue[]) => unknown

/** What all component instances of one tree share. A trap in one ends them all. */
export interface Store {
  readonly jspi: boolean
  /** Set at the first trap: from then on nothing of the tree runs. */
  failure: unknown
  readonly instances: Instance[]
}

/** One component instance: a handle table of its own, and the flags that keep calls in order. */
export interface Instance {
  readonly store: Store
  readonly handles: HandleTable
  /** A call is in it; a second one would break its invariants. */
  entered: boolean
  /** Cleared while the guest's `realloc` or `post-return` runs: they may call nothing. */
  mayLeave: boolean
}

/** Identity is what counts: two resource types are the same only if they are one object. */
export interface ResourceType {
  readonly kind: 'resource'
  readonly name: string
  /** The instance that defines it; absent for the host's. */
  readonly owner?: Instance
  /** Called with the representation when the last owner drops it. */
  readonly drop?: (representation: unknown) => unknown
}

/** The borrows and lends of one call: both must be settled when it ends. */
export interface CallScope {
  /** Borrowed handles that the callee still holds. */
  borrows: number
  /** Owned handles of the caller that are lent out while the call lasts. */
  readonly lent: Handle[]
}

export interface Handle {
  readonly type: ResourceType
  /** The host's object, or the i32 by which the defining component knows it. */
  readonly representation: unknown
  /** For a borrowed handle: the call that it may not outlive. */
  readonly scope?: CallScope
  lends: number
}

export interface HandleTable {
  add(handle: Handle): number
  get(index: number, type: ResourceType): Handle
  remove(index: number, type: ResourceType): Handle
  /** Takes all out, for the end of an instance. */
  clear(): Handle[]
}

/** Ends the guest's call: the component broke a rule of the component model, or gave up. */
export function trap(message: string): never {
  throw new SpindleError('ERR_TRAP', `component trapped: ${message}`)
}

/** What went wrong inside a guest, as this library says it; also poisons the tree. */
export function poison(store: Store, error: unknown): unknown {
  store.failure ??=
    isSpindleError(error) || !(error instanceof Error)
      ? error
      : new SpindleError('ERR_TRAP', `component trapped: ${error.message}`, { cause: error })
  return store.failure
}

export function assertAlive(store: Store): void {
  if (store.failure !== undefined) {
    throw new SpindleError('ERR_TRAP', 'component has trapped before: instantiate it anew', {
      cause: store.failure,
    })
  }
}

export function isPromise(value: unknown): value is Promise<unknown> {
  return value instanceof Promise
}

/** `step` at once when the value is there, so that guests need no JSPI for what is ready. */
export function chain<T>(value: unknown, step: (value: unknown) => T): T | Promise<T> {
  return isPromise(value) ? value.then(step) : step(value)
}

interface SuspendingWebAssembly {
  Suspending?: new (fn: CoreFunction) => CoreFunction
  promising?: (fn: CoreFunction) => CoreFunction
}

/** Whether WebAssembly can wait for a Promise here (JavaScript Promise Integration). */
export function hasJspi(): boolean {
  const wasm = WebAssembly as SuspendingWebAssembly
  return typeof wasm.Suspending === 'function' && typeof wasm.promising === 'function'
}

export function suspending(fn: CoreFunction): CoreFunction {
  const { Suspending } = WebAssembly as SuspendingWebAssembly
  return Suspending === undefined ? fn : new Suspending(fn)
}

export function promising(fn: CoreFunction): CoreFunction {
  const make = (WebAssembly as SuspendingWebAssembly).promising
  return make === undefined ? fn : make(fn)
}
