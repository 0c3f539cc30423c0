import { beginCall, createTask, leave, loadAt, lowerArgs, settleBorrows } from '../abi/canon.ts'
import type { CanonContext, AsyncWork, CoreFunction, CoreValue, Task } from '../abi/model.ts'
import { MAX_FLAT_PARAMS } from '../abi/codec.ts'
import { CANCELLED, type FuncItem } from '../abi/items.ts'
import { settleCharges } from '../abi/memory.ts'
import { createEntry, during } from '../abi/jspi.ts'
import {
  assertAlive,
  chain,
  changed,
  isOnStack,
  isPromise,
  nextTurn,
  poison,
  trap,
  until,
} from '../abi/runtime.ts'
import type { Signature, TypeEntry } from '../abi/types.ts'
import {
  nextEvent,
  NO_EVENT,
  readyMember,
  setAt,
  TASK_CANCELLED,
  type Event,
} from '../abi/waitable.ts'

const EXIT = 0
const YIELD = 1
const WAIT = 2

// What we hold for one asynchronous call until it ends, about.
const TASK_BYTES = 2048

/** `canon lift` of a function that may wait: of three ways to say so, as its options have it. */
export function liftAsync(
  core: CoreFunction,
  context: CanonContext,
  type: TypeEntry,
  name: string,
): FuncItem {
  const { instance, callback } = context
  const { store } = instance
  const enter = createEntry(instance, core)
  const again = callback === undefined ? undefined : createEntry(instance, callback)
  // Core code that suspends with nothing to hold it back is ready for others to run beside it.
  const exclusive = !context.async || callback !== undefined
  const busy = (): boolean =>
    instance.entered || instance.backpressure > 0 || (exclusive && instance.exclusive !== undefined)

  const acquire = (task: Task): void => {
    if (exclusive) instance.exclusive = task
  }
  const release = (task: Task): void => {
    if (instance.exclusive === task) instance.exclusive = undefined
    changed(store)
  }
  const exit = (task: Task): void => {
    store.tasks--
    store.budget.release(TASK_BYTES)
    release(task)
    if (task.work?.state !== 'resolved') trap(`"${name}" ends without a result`)
  }

  /** The guest has said whether it is done, or what it waits for. */
  const proceed = (task: Task, work: AsyncWork, packed: number): void => {
    if ((packed & 0xf) === EXIT) exit(task)
    else pause(task, work, packed)
  }
  const pause = (task: Task, work: AsyncWork, packed: number): void => {
    const kind = packed & 0xf
    if (kind !== YIELD && kind !== WAIT) trap(`"${name}" returns the unknown code ${kind}`)
    const set = kind === WAIT ? setAt(instance, packed >>> 4) : undefined
    task.caller = undefined
    release(task)
    if (set !== undefined) set.waiting++
    let event: Event | undefined
    /** Takes what it waits for and the place to run, if both are there. */
    const take = (): boolean => {
      if (event !== undefined) return true
      if (instance.exclusive !== undefined || instance.entered) return false
      if (takeCancellation(work)) event = TASK_CANCELLED
      else if (set === undefined) event = NO_EVENT
      else if (readyMember(set) !== undefined) event = nextEvent(set)
      else return false
      if (set !== undefined) set.waiting--
      work.interrupt = undefined
      instance.exclusive = task
      return true
    }
    let called = false
    const goOn = (): void => {
      if (called || event === undefined) return
      called = true
      guard(chain(again?.(task, event), (next) => proceed(task, work, Number(next))))
    }
    work.interrupt = () => {
      if (store.failure === undefined && !isOnStack(instance) && take()) goOn()
    }
    const soon = set === undefined ? nextTurn(store) : Promise.resolve()
    guard(soon.then(() => until(store, take)).then(goOn))
  }
  const guard = (work: unknown): void => {
    if (isPromise(work)) work.catch((error: unknown) => void poison(store, error))
  }

  /** Waits at the door. False when the caller has given up before. */
  const queue = async (task: Task, work: AsyncWork): Promise<boolean> => {
    instance.queued++
    task.caller = undefined
    await until(store, () => {
      if (work.state === 'cancelled') return true
      if (busy()) return false
      acquire(task)
      return true
    })
    instance.queued--
    if (work.state === 'cancelled') {
      store.tasks--
      store.budget.release(TASK_BYTES)
    }
    changed(store)
    return work.state !== 'cancelled'
  }
  const begin = (
    task: Task,
    work: AsyncWork,
    signature: Signature,
    args: () => readonly unknown[],
  ): void => {
    acquire(task)
    work.state = 'started'
    const call = beginCall(context, task.scope)
    const returned = enter(
      task,
      during(task, () => lowerArgs(call, signature, args())),
    )
    settleCharges(call)
    guard(
      chain(returned, (value) => {
        if (!context.async) work.resolve(during(task, () => leave(call, context, signature, value)))
        proceed(task, work, callback === undefined ? EXIT : Number(value))
      }),
    )
  }

  return {
    kind: 'func',
    type,
    name,
    waits: true,
    call(args, signature, control) {
      assertAlive(store)
      try {
        if (isOnStack(instance)) trap(`"${name}" is called while its component runs`)
        let outcome: { readonly value: unknown } | undefined
        const work: AsyncWork = {
          state: 'waiting',
          interrupt: undefined,
          context,
          result: signature.result,
          resolve(value) {
            if (work.state === 'resolved') trap(`"${name}" gives a result twice`)
            settleBorrows(task.scope)
            work.state = 'resolved'
            outcome = { value }
            control?.resolve?.(value)
            changed(store)
          },
        }
        const task = createTask(instance, work)
        if (control !== undefined) control.cancel = () => cancel(work, task)
        store.budget.charge(TASK_BYTES)
        store.tasks++
        if (!busy() && instance.queued === 0) begin(task, work, signature, args)
        else
          guard(
            queue(task, work).then((mayBegin) => mayBegin && begin(task, work, signature, args)),
          )
        if (outcome !== undefined) return (outcome as { readonly value: unknown }).value
        return until(store, () => outcome !== undefined).then(() => outcome?.value)
      } catch (error) {
        throw poison(store, error)
      }
    },
  }
}

function cancel(work: AsyncWork, { instance }: Task): boolean {
  if (work.state === 'waiting') {
    // Never begun: that is all there is to it.
    work.state = 'cancelled'
    changed(instance.store)
    return true
  }
  if (work.state === 'started') {
    work.state = 'cancelling'
    work.interrupt?.()
  }
  changed(instance.store)
  return false
}

/** Whether the guest is to be told now that its result is no longer wanted. */
export function takeCancellation(work: AsyncWork | undefined): boolean {
  if (work?.state !== 'cancelling') return false
  work.state = 'cancelled'
  return true
}

/** `canon task.return`: the result of the call that runs, which then may go on. */
export function returnFromTask(
  task: Task,
  context: CanonContext,
  result: Signature['result'],
  values: readonly CoreValue[],
): void {
  const work = workOf(task, 'task.return')
  const { context: own } = work
  const elsewhere =
    context.memory !== undefined &&
    (context.memory !== own.memory || context.encoding !== own.encoding)
  if (result !== work.result || elsewhere) trap('a task returns a result of another type')
  const call = beginCall(context, task.scope)
  if (result === undefined) return work.resolve(undefined)
  work.resolve(
    result.flat.length > MAX_FLAT_PARAMS
      ? loadAt(call, result, Number(values[0]) >>> 0)
      : result.lift(call, { values, at: 0 }),
  )
  settleCharges(call)
}

/** `canon task.cancel`: the guest has given up, as it was asked to. */
export function cancelTask(task: Task): void {
  const work = workOf(task, 'task.cancel')
  if (work.state !== 'cancelled') trap('a task cancels itself that nobody has cancelled')
  work.resolve(CANCELLED)
}

function workOf({ work }: Task, name: string): AsyncWork {
  return work?.context.async === true ? work : trap(`"${name}" is called by a synchronous call`)
}
