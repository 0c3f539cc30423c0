import type {
  CanonContext,
  Codec,
  Call,
  CallScope,
  CoreFunction,
  CoreValue,
  Instance,
  Task,
  CallControl,
} from './model.ts'
import { arrive, createEntry, during, mayWait, standStill } from './jspi.ts'
import { signatureOf, type Signature, type TypeEntry } from './types.ts'
import type { FuncItem } from './items.ts'
import { allocate, assertRange, settleCharges } from './memory.ts'
import { settleLends } from './resource.ts'
import { assertAlive, isOnStack, isPromise, poison, trap, whileOutside } from './runtime.ts'

export function beginCall(context: CanonContext, scope: CallScope = createCallScope()): Call {
  const { instance, memory, realloc, encoding } = context
  return { instance, memory, realloc, encoding, scope, views: undefined, lifted: 0, charged: 0 }
}

function createCallScope(): CallScope {
  return { borrows: 0, lent: [] }
}

/** Wraps what core code calls of us: whatever it throws ends the tree. */
export function fromCore(
  instance: Instance,
  name: string,
  run: (...values: CoreValue[]) => unknown,
): CoreFunction {
  return fromCoreAnywhere(instance, (...values) => {
    if (!instance.mayLeave) trap(`"${name}" is called where nothing may be called`)
    return run(...values)
  })
}

/** The same for the few that `realloc` and `post-return` may call, too. */
export function fromCoreAnywhere(
  { store }: Instance,
  run: (...values: CoreValue[]) => unknown,
): CoreFunction {
  return (...values) => {
    try {
      arrive(store)
      assertAlive(store)
      store.assertInTime()
      return run(...values)
    } catch (error) {
      throw poison(store, error)
    }
  }
}

/** `canon lower`: a component function as a core function that the guest imports. */
export function lower(func: FuncItem, context: CanonContext): CoreFunction {
  const { instance } = context
  let signature: Signature | undefined
  const core = fromCore(instance, func.name, (...values) => {
    // Resolved at the first call: most imports of a component are never called by a request.
    signature ??= signatureOf(func.type)
    return lowered(func, signature, beginCall(context), values)
  })
  return func.waits ? mayWait(instance, core) : core
}

function lowered(
  func: FuncItem,
  signature: Signature,
  call: Call,
  values: readonly CoreValue[],
): unknown {
  const { params, result, spilled, returned } = signature
  const flat = { values, at: 0 }
  const args = (): unknown[] =>
    spilled === undefined
      ? params.map((codec) => codec.lift(call, flat))
      : (loadAt(call, spilled, Number(flat.values[flat.at++]) >>> 0) as unknown[])
  const { store } = call.instance
  const finish = (value: unknown): CoreValue | undefined => {
    settleLends(call.scope.lent)
    assertAlive(store)
    const out: CoreValue[] = []
    if (returned && result !== undefined)
      storeAt(call, result, value, Number(flat.values[flat.at]) >>> 0)
    else result?.lower(call, value, out)
    settleCharges(call)
    return out[0]
  }
  const control: CallControl | undefined = func.outside === true ? {} : undefined
  const value = func.call(args, signature, control)
  if (!isPromise(value)) return finish(value)
  // If nobody can wait for it, its failure is no one's news.
  value.catch(() => {})
  if (control !== undefined) {
    whileOutside(store, value)
    store.stoodFor.add(control)
  }
  return standStill(store, func.name, () =>
    value
      .then(finish)
      .catch((error: unknown) => {
        throw poison(store, error)
      })
      .finally(() => control && store.stoodFor.delete(control)),
  )
}

export function loadAt(call: Call, codec: Codec, pointer: number): unknown {
  assertRange(call, pointer, codec.size, codec.align)
  return codec.load(call, pointer)
}

export function storeAt(call: Call, codec: Codec, value: unknown, pointer: number): void {
  assertRange(call, pointer, codec.size, codec.align)
  codec.store(call, value, pointer)
}

/** `canon lift`: a core export as a component function. */
export function lift(
  core: CoreFunction,
  context: CanonContext,
  type: TypeEntry,
  name: string,
): FuncItem {
  const { instance } = context
  const { store } = instance
  const enter = createEntry(instance, core)
  return {
    kind: 'func',
    type,
    name,
    get waits() {
      return instance.suspends
    },
    call(args, signature) {
      assertAlive(store)
      const fail = (error: unknown): never => {
        throw poison(store, error)
      }
      try {
        if (instance.entered || isOnStack(instance))
          trap(`"${name}" is called while its component runs`)
        instance.entered = true
        const task = createTask(instance, undefined)
        const call = beginCall(context, task.scope)
        const values = during(task, () => lowerArgs(call, signature, args()))
        const finish = (value: unknown): unknown => {
          try {
            const result = during(task, () => leave(call, context, signature, value))
            instance.entered = false
            return result
          } catch (error) {
            return fail(error)
          }
        }
        const returned = enter(task, values)
        return isPromise(returned) ? returned.then(finish, fail) : finish(returned)
      } catch (error) {
        return fail(error)
      }
    },
  }
}

export function createTask(instance: Instance, work: Task['work']): Task {
  const caller = instance.store.running
  return { instance, caller, scope: createCallScope(), storage: [0, 0], work }
}

export function lowerArgs(
  call: Call,
  { params, spilled }: Signature,
  args: readonly unknown[],
): CoreValue[] {
  const out: CoreValue[] = []
  if (spilled !== undefined) {
    const pointer = allocate(call, spilled.size, spilled.align)
    spilled.store(call, args, pointer)
    out.push(pointer | 0)
  } else params.forEach((codec, i) => codec.lower(call, args[i], out))
  return out
}

/** What a synchronous core function has returned, as our value. */
export function leave(
  call: Call,
  context: CanonContext,
  signature: Signature,
  returned: unknown,
): unknown {
  const { instance } = context
  // The guest may have caught the exception that poisoned it.
  assertAlive(instance.store)
  const core = returned as CoreValue
  let value: unknown
  if (signature.result !== undefined) {
    value = signature.returned
      ? loadAt(call, signature.result, Number(core) >>> 0)
      : signature.result.lift(call, { values: [core], at: 0 })
  }
  if (context.postReturn !== undefined) {
    instance.mayLeave = false
    if (signature.result === undefined) context.postReturn()
    else context.postReturn(core)
    instance.mayLeave = true
  }
  settleBorrows(call.scope)
  settleLends(call.scope.lent)
  settleCharges(call)
  return value
}

export function settleBorrows({ borrows }: CallScope): void {
  if (borrows > 0) trap(`${borrows} borrowed handles outlive their call`)
}
