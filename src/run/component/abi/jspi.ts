import { SpindleError } from '../../../errors.ts'
import { changed, isPromise, until } from './runtime.ts'
import type { CoreFunction, CoreValue, Instance, Store, Task } from './model.ts'

interface SuspendingWebAssembly {
  Suspending?: new (fn: CoreFunction) => CoreFunction
  promising?: (fn: CoreFunction) => CoreFunction
}

/** Whether WebAssembly can wait for a Promise here (JavaScript Promise Integration). */
export function hasJspi(): boolean {
  const wasm = WebAssembly as SuspendingWebAssembly
  return typeof wasm.Suspending === 'function' && typeof wasm.promising === 'function'
}

/** A function for core code that may give a Promise: the core code stands still until it settles. */
export function suspending(fn: CoreFunction): CoreFunction {
  const { Suspending } = WebAssembly as SuspendingWebAssembly
  return Suspending === undefined ? fn : new Suspending(fn)
}

/** A core function that gives a Promise, because something within may suspend it. */
export function promising(fn: CoreFunction): CoreFunction {
  const make = (WebAssembly as SuspendingWebAssembly).promising
  return make === undefined ? fn : make(fn)
}

export function waitsWithoutJspi(name: string): SpindleError {
  return new SpindleError(
    'ERR_UNSUPPORTED',
    `the component must wait in "${name}", which this JavaScript engine can't do: it has no JavaScript Promise ` +
      'Integration (JSPI). Node.js 24, Chromium 137, Firefox 153, Deno, Bun, Cloudflare Workers and newer have it',
  )
}

/** Imports that may suspend are marked where they are made: what calls them must know beforehand. */
export function mayWait(instance: Instance, fn: CoreFunction): CoreFunction {
  const { store } = instance
  if (!store.jspi) return fn
  instance.suspends = true
  // The engine suspends for a value that is there, too.
  const waiting: CoreFunction = (...values) => {
    const value = fn(...values)
    return isPromise(value) ? value : standStill(store, '', () => Promise.resolve(value))
  }
  const marked = suspending(waiting)
  ours.set(marked, waiting)
  return marked
}

// What we have marked, for components that lift it as it is: only core code can call it then.
const ours = new WeakMap<CoreFunction, CoreFunction>()

function promised(core: CoreFunction): CoreFunction {
  const waiting = ours.get(core)
  if (waiting !== undefined) return async (...values) => waiting(...values)
  try {
    return promising(core)
  } catch {
    // A built-in of ours that never waits.
    return async (...values) => core(...values)
  }
}

/** How a task runs core functions; `core` is the plain export. */
export function createEntry(
  instance: Instance,
  core: CoreFunction,
): (task: Task, values: readonly CoreValue[]) => unknown {
  const { store } = instance
  let waiting: CoreFunction | undefined
  return (task, values) => {
    if (!instance.suspends) return during(task, () => core(...values))
    const run = (waiting ??= promised(core))
    const { budget, stackBytes } = store
    budget.charge(stackBytes)
    return during(task, () => run(...values) as Promise<unknown>).finally(() => {
      budget.release(stackBytes)
      leave(store, task)
    })
  }
}

/** Whatever core code is called within, it is the task's. */
export function during<T>(task: Task, run: () => T): T {
  const { store } = task.instance
  const before = store.running
  store.running = task
  try {
    return run()
  } finally {
    store.running = before
  }
}

function leave(store: Store, task: Task): void {
  if (store.running === task) store.running = undefined
  landed(store, task)
}

function landed(store: Store, task: Task): void {
  if (store.resuming !== task) return
  store.resuming = undefined
  changed(store)
}

/** Core code has called us: if the engine was about to take it up, it has. */
export function arrive(store: Store): void {
  if (store.running !== undefined) landed(store, store.running)
}

/** Makes the core code that calls us stand still until the work is done. */
export function standStill<T>(store: Store, name: string, work: () => Promise<T>): Promise<T> {
  if (!store.jspi) throw waitsWithoutJspi(name)
  const task = store.running
  const done = work()
  if (task === undefined) return done
  store.running = undefined
  task.caller = undefined
  return takeUp(store, task, done)
}

/**
 * The engine takes up core code some time after a Promise has settled. Until it has, nobody else may
 * be taken up, so that `running` is right when that core code calls us next.
 */
async function takeUp<T>(store: Store, task: Task, done: Promise<T>): Promise<T> {
  try {
    return await done
  } finally {
    await until(store, () => {
      if (store.resuming !== undefined) return false
      store.resuming = store.running = task
      return true
    })
  }
}
