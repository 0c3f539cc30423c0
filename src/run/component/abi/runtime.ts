import type { Store, Instance } from './model.ts'
import { isSpindleError, SpindleError } from '../../../errors.ts'
import { explainEnd } from '../../budget.ts'

/** As V8 makes stacks for core code that may be suspended. */
export const STACK_BYTES: number = 1024 * 1024
/** The same where there are exceptions: each slot of a stack may hold one. */
export const THROWING_STACK_BYTES: number = 16 * 1024 * 1024

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
