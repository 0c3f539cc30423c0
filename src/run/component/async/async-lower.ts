import { beginCall, fromCore, loadAt, storeAt } from '../abi/canon.ts'
import type {
  CanonContext,
  Call,
  CoreFunction,
  CoreValue,
  Entry,
  Instance,
  CallControl,
} from '../abi/model.ts'
import { bytesOf, callInTurn } from './host-call.ts'
import { CANCELLED, type FuncItem } from '../abi/items.ts'
import { settleCharges } from '../abi/memory.ts'
import { settleLends } from '../abi/resource.ts'
import { isPromise, poison, trap, whileOutside } from '../abi/runtime.ts'
import { signatureOf, type Signature } from '../abi/types.ts'
import {
  announce,
  BLOCKED,
  join,
  SUBTASK,
  takeEvent,
  untilEvent,
  type Waitable,
} from '../abi/waitable.ts'
import { standStill } from '../abi/jspi.ts'

const STATE = { starting: 0, started: 1, returned: 2, neverStarted: 3, cancelled: 4 } as const

// What a call takes that its caller doesn't stand still for, beside its handle: a timer for one.
const SUBTASK_BYTES = 2048

/** A call that its caller doesn't stand still for. */
interface Subtask extends Waitable {
  readonly kind: 'subtask'
  state: (typeof STATE)[keyof typeof STATE]
  /** The caller knows the outcome. */
  told: boolean
  cancelling: boolean
  readonly control: CallControl
  readonly finish: (value: unknown) => void
}

/** `canon lower … async`. */
export function lowerAsync(func: FuncItem, context: CanonContext): CoreFunction {
  let signature: Signature | undefined
  return fromCore(context.instance, func.name, (...values) => {
    signature ??= signatureOf(func.type)
    return start(func, signature, beginCall(context), values)
  })
}

function start(
  func: FuncItem,
  signature: Signature,
  call: Call,
  values: readonly CoreValue[],
): number {
  const { params, result, asyncSpilled } = signature
  const { instance } = call
  const { store } = instance
  const flat = { values, at: 0 }
  const subtask: Subtask = {
    kind: 'subtask',
    state: STATE.starting,
    told: false,
    cancelling: false,
    control: { resolve: (value) => finish(value) },
    finish: (value) => finish(value),
    event: undefined,
    set: undefined,
    awaited: false,
  }
  let index = 0
  let arrivedBytes = 0
  const tell = (): void => {
    if (index === 0) return
    announce(store, subtask, () => {
      if (subtask.state > STATE.started) deliver()
      return [SUBTASK, index, subtask.state]
    })
  }
  const deliver = (): void => {
    subtask.told = true
    settleLends(call.scope.lent)
  }
  const args = (): unknown[] => {
    subtask.state = STATE.started
    tell()
    return asyncSpilled === undefined
      ? params.map((codec) => codec.lift(call, flat))
      : (loadAt(call, asyncSpilled, Number(values[0]) >>> 0) as unknown[])
  }
  const finish = (value: unknown): void => {
    // Cancelled before, or the guest is gone: nobody takes what it comes to now.
    if (subtask.state > STATE.started || store.failure !== undefined) return
    store.budget.release(arrivedBytes)
    arrivedBytes = 0
    if (value === CANCELLED) {
      subtask.state = subtask.state === STATE.starting ? STATE.neverStarted : STATE.cancelled
    } else {
      if (result !== undefined)
        storeAt(call, result, value, Number(values[values.length - 1]) >>> 0)
      subtask.state = STATE.returned
    }
    settleCharges(call)
    tell()
  }
  const arrive = (value: unknown): unknown => {
    if (value !== CANCELLED && subtask.state <= STATE.started && store.failure === undefined) {
      const bytes = bytesOf(value)
      store.budget.charge(bytes)
      arrivedBytes = bytes
    }
    return value
  }
  const begin = (): unknown => func.call(args, signature, subtask.control)
  const value = func.inTurn === true ? callInTurn(store, begin, subtask.control) : begin()
  if (!isPromise(value)) {
    finish(value)
    deliver()
    return STATE.returned
  }
  if (func.outside === true) whileOutside(store, value)
  store.budget.charge(SUBTASK_BYTES)
  index = instance.handles.add(subtask)
  // All that arrive together are charged before the first of them is taken.
  const arrived = func.inTurn === true && result?.handles === false ? value.then(arrive) : value
  arrived.then(finish).catch((error: unknown) => void poison(store, error))
  return subtask.state | (index << 4)
}

function subtaskAt({ handles }: Instance, index: number): Subtask {
  const entry = handles.get(index)
  return entry.kind === 'subtask'
    ? (entry as Subtask)
    : trap(`handle ${index} is a ${entry.kind}, not a subtask`)
}

/** `canon subtask.cancel`. The callee may still return, or go on. */
export function cancelSubtask(
  instance: Instance,
  index: number,
  isAsync: boolean,
): number | Promise<number> {
  const subtask = subtaskAt(instance, index)
  if (subtask.told) trap('a subtask is cancelled that has ended')
  if (subtask.cancelling) trap('a subtask is cancelled twice')
  if (subtask.set !== undefined && !isAsync)
    trap('a subtask of a waitable set is cancelled synchronously')
  subtask.cancelling = true
  if (subtask.state <= STATE.started) {
    if (subtask.control.cancel?.() === true) subtask.finish(CANCELLED)
    if (subtask.state <= STATE.started) {
      if (isAsync) return BLOCKED
      const { store } = instance
      return standStill(store, 'subtask.cancel', () =>
        untilEvent(store, subtask).then(() => subtask.state),
      )
    }
  }
  takeEvent(subtask)
  return subtask.state
}

/** Lets go of what a guest waits for that is gone. */
export function abandonSubtask(entry: Entry): void {
  if (entry.kind === 'subtask') (entry as Subtask).control.cancel?.()
}

export function dropSubtask(instance: Instance, index: number): void {
  const subtask = subtaskAt(instance, index)
  if (!subtask.told) trap('a subtask is dropped whose outcome nobody has taken')
  join(subtask, undefined)
  instance.handles.remove(index)
  instance.store.budget.release(SUBTASK_BYTES)
}
