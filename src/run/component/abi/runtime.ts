import { isSpindleError, SpindleError } from '../../../errors.ts'
import { explainEnd, type Budget } from '../../budget.ts'
import type { CanonContext } from './canon.ts'
import type { Codec } from './codec.ts'
import type { CallControl } from './items.ts'

export type CoreValue = number | bigint
export type CoreFunction = (...args: CoreValue[]) => unknown

/** As V8 makes stacks for core code that may be suspended. */
export const STACK_BYTES: number = 1024 * 1024
/** The same where there are exceptions: each slot of a stack may hold one. */
export const THROWING_STACK_BYTES: number = 16 * 1024 * 1024

/** What all component instances of one tree share. A trap in one ends them all. */
export interface Store {
  readonly jspi: boolean
  /** What all of them may take together. */
  readonly budget: Budget
  /** Bytes that a stack of suspended core code may take, with what it holds. */
  stackBytes: number
  /** Throws once there is no time left. Asked wherever the guest calls its host. */
  readonly assertInTime: () => void
  /** Set at the first trap: from then on nothing of the tree runs. */
  failure: unknown
  readonly instances: Instance[]
  /** Whose core code runs now. */
  running: Task | undefined
  /** Whose suspended core code the engine is about to take up. */
  resuming: Task | undefined
  /** Asynchronous calls that haven't ended. */
  tasks: number
  /** Resolves when anything changes that somebody may wait for. */
  change: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined
  /** What was begun outside of the tree, and will change something when it ends. */
  outside: number
  /** Of the host's, what core code stands still for: it is given up when the tree ends. */
  readonly stoodFor: Set<CallControl>
  /** Somebody is about to look whether all that wait do so in vain. */
  watched: boolean
  /** Whether the host has the other end of something that a guest reads or writes now. */
  readonly hostCopies: () => boolean
}

/** One component instance: a handle table of its own, and the flags that keep calls in order. */
export interface Instance {
  readonly store: Store
  readonly handles: HandleTable
  /** Whether its core code may have to stand still: only then JSPI takes part in calls. */
  suspends: boolean
  /** A synchronous call is in it; a second one would break its invariants. */
  entered: boolean
  /** Cleared while the guest's `realloc` or `post-return` runs: they may call nothing. */
  mayLeave: boolean
  /** Of asynchronous calls, the one that may run core code now. */
  exclusive: Task | undefined
  /** Above zero, asynchronous calls wait at the door. */
  backpressure: number
  /** How many do. */
  queued: number
}

/** One call of a component's function. */
export interface Task {
  readonly instance: Instance
  /** Who called, while that is still waiting for the callee to give back control. */
  caller: Task | undefined
  readonly scope: CallScope
  readonly storage: [CoreValue, CoreValue]
  /** Of asynchronous calls. */
  readonly work: AsyncWork | undefined
}

/** How far an asynchronous call has come. */
export interface AsyncWork {
  state: 'waiting' | 'started' | 'cancelling' | 'cancelled' | 'resolved'
  /** While it waits to be called back: does so at once, if that is possible. */
  interrupt: (() => void) | undefined
  readonly context: CanonContext
  /** The type of what it must return. */
  readonly result: Codec | undefined
  readonly resolve: (value: unknown) => void
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
  readonly kind: 'handle'
  readonly type: ResourceType
  /** The host's object, or the i32 by which the defining component knows it. */
  readonly representation: unknown
  /** For a borrowed handle: the call that it may not outlive. */
  readonly scope?: CallScope
  lends: number
}

/** What an index can mean: a resource, or something to wait for. */
export interface Entry {
  readonly kind: string
}

export interface HandleTable {
  add(entry: Entry): number
  /** Traps when there is none. */
  get(index: number): Entry
  remove(index: number): void
  all(): Entry[]
  /** Takes all out, for the end of an instance. */
  clear(): Entry[]
}

/** Ends the guest's call: the component broke a rule of the component model, or gave up. */
export function trap(message: string): never {
  throw new SpindleError('ERR_TRAP', `component trapped: ${message}`)
}

/** What went wrong inside a guest, as this library says it; also poisons the tree. */
export function poison(store: Store, error: unknown): unknown {
  store.failure ??=
    isSpindleError(error) || !(error instanceof Error) ? error : trapped(store, error)
  changed(store)
  return store.failure
}

/** A trap of the engine's. A guest that was refused memory most often ends by one. */
function trapped({ budget }: Store, error: Error): SpindleError {
  const message = `component trapped: ${error.message}`
  return (
    explainEnd(budget, error, message) ?? new SpindleError('ERR_TRAP', message, { cause: error })
  )
}

export function assertAlive(store: Store): void {
  if (store.failure !== undefined) {
    throw new SpindleError('ERR_TRAP', 'component has trapped before: instantiate it anew', {
      cause: store.failure,
    })
  }
}

/** Whether core code of the instance is below us on the stack: it may not be called into. */
export function isOnStack(instance: Instance): boolean {
  let task = instance.store.running
  while (task !== undefined && task.instance !== instance) task = task.caller
  return task !== undefined
}

/** Wakes all who wait, to look whether it is what they wait for. */
export function changed(store: Store): void {
  const { change } = store
  store.change = undefined
  change?.resolve()
}

/**
 * Waits until `ready` says so, which is when to take what was waited for: a turn later somebody else
 * may have. Rejects with the failure of the tree when that comes first.
 */
export async function until(store: Store, ready: () => boolean): Promise<void> {
  for (;;) {
    if (store.failure !== undefined) throw store.failure
    if (ready()) return
    if (store.change === undefined) {
      let resolve = (): void => {}
      const promise = new Promise<void>((done) => (resolve = done))
      store.change = { promise, resolve }
    }
    watch(store)
    await store.change.promise
  }
}

/** Counts work outside of the tree for as long as it goes on. */
export function whileOutside(store: Store, work: Promise<unknown>): void {
  store.outside++
  void work
    .catch(() => {})
    .then(() => {
      store.outside--
      changed(store)
    })
}

export function nextTurn(store: Store): Promise<void> {
  const turn = new Promise<void>((resolve) => setTimeout(resolve))
  whileOutside(store, turn)
  return turn
}

/** A turn later all that can run has run. Who waits then, with nothing outside, would wait for ever. */
function watch(store: Store): void {
  if (store.watched || store.outside > 0) return
  store.watched = true
  setTimeout(() => {
    store.watched = false
    const busy = store.change === undefined || store.outside > 0 || store.resuming !== undefined
    if (busy || store.failure !== undefined || store.hostCopies()) return
    poison(
      store,
      new SpindleError(
        'ERR_TRAP',
        'component trapped: it waits for what nothing can bring about (a deadlock)',
      ),
    )
  })
}

export function isPromise(value: unknown): value is Promise<unknown> {
  return value instanceof Promise
}

/** `step` at once when the value is there, so that guests need no JSPI for what is ready. */
export function chain<T>(value: unknown, step: (value: unknown) => T): T | Promise<T> {
  return isPromise(value) ? value.then(step) : step(value)
}
