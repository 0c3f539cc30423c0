import { SpindleError } from '../../errors.ts'
import type { Codec } from './codec.ts'
import { signatureOf, type Signature, type TypeEntry } from './types.ts'
import type { FuncItem } from './items.ts'
import { allocate, assertRange, type Call } from './memory.ts'
import { destroy, settleLends } from './resource.ts'
import {
  assertAlive,
  chain,
  poison,
  promising,
  suspending,
  trap,
  type CoreFunction,
  type CoreValue,
  type Instance,
  type CallScope,
  type ResourceType,
} from './runtime.ts'

/** Canonical options with their indices resolved. */
export interface CanonContext {
  readonly instance: Instance
  readonly encoding: Call['encoding']
  readonly memory: Call['memory']
  readonly realloc: CoreFunction | undefined
  readonly postReturn: CoreFunction | undefined
}

function beginCall(context: CanonContext): Call {
  const scope: CallScope = { borrows: 0, lent: [] }
  const { instance, memory, realloc, encoding } = context
  return { instance, memory, realloc, encoding, scope, views: undefined }
}

/** `canon lower`: a component function as a core function that the guest imports. */
export function lower(func: FuncItem, context: CanonContext): CoreFunction {
  const { instance } = context
  let signature: Signature | undefined
  const core = (...values: CoreValue[]): unknown => {
    try {
      assertAlive(instance.store)
      if (!instance.mayLeave) trap(`"${func.name}" is called where nothing may be called`)
      // Resolved at the first call: most imports of a component are never called by a request.
      signature ??= signatureOf(func.type)
      return lowered(func, signature, beginCall(context), values)
    } catch (error) {
      throw poison(instance.store, error)
    }
  }
  return func.waits && instance.store.jspi ? suspending(core) : core
}

function lowered(
  func: FuncItem,
  signature: Signature,
  call: Call,
  values: readonly CoreValue[],
): unknown {
  const { params, result, spilled, returned } = signature
  const flat = { values, at: 0 }
  const args =
    spilled === undefined
      ? params.map((codec) => codec.lift(call, flat))
      : (loadAt(call, spilled, Number(flat.values[flat.at++]) >>> 0) as unknown[])
  const store = call.instance.store
  const finish = (value: unknown): CoreValue | undefined => {
    settleLends(call.scope.lent)
    assertAlive(store)
    if (result === undefined) return undefined
    if (returned) {
      const pointer = Number(flat.values[flat.at]) >>> 0
      assertRange(call, pointer, result.size, result.align)
      result.store(call, value, pointer)
      return undefined
    }
    const out: CoreValue[] = []
    result.lower(call, value, out)
    return out[0]
  }
  const value = func.call(args, signature)
  if (value instanceof Promise && !store.jspi) throw waitsWithoutJspi(func.name)
  return chain(value, (settled) => {
    try {
      return finish(settled)
    } catch (error) {
      throw poison(store, error)
    }
  })
}

export function waitsWithoutJspi(name: string): SpindleError {
  return new SpindleError(
    'ERR_UNSUPPORTED',
    `the component must wait in "${name}", which this JavaScript engine can't do: it has no JavaScript Promise ` +
      'Integration (JSPI). Chromium 137, Node.js 26, Cloudflare Workers and newer have it',
  )
}

function loadAt(call: Call, codec: Codec, pointer: number): unknown {
  assertRange(call, pointer, codec.size, codec.align)
  return codec.load(call, pointer)
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
  const enter = store.jspi ? promising(core) : core
  return {
    kind: 'func',
    type,
    name,
    waits: true,
    call(args, signature) {
      assertAlive(store)
      const fail = (error: unknown): never => {
        throw poison(store, error)
      }
      try {
        if (instance.entered) trap(`"${name}" is called while its component runs`)
        instance.entered = true
        const call = beginCall(context)
        const values = lowerArgs(call, signature, args)
        const finish = (value: unknown): unknown => {
          try {
            return leave(call, context, signature, value)
          } catch (error) {
            return fail(error)
          }
        }
        const returned = enter(...values)
        return returned instanceof Promise ? returned.then(finish, fail) : finish(returned)
      } catch (error) {
        return fail(error)
      }
    },
  }
}

function lowerArgs(
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

function leave(
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
  if (call.scope.borrows > 0) trap(`${call.scope.borrows} borrowed handles outlive their call`)
  settleLends(call.scope.lent)
  instance.entered = false
  return value
}

/** Wraps one of the resource built-ins: whatever it throws ends the tree. */
function builtin(instance: Instance, run: (value: number) => unknown): CoreFunction {
  return (value) => {
    try {
      assertAlive(instance.store)
      if (!instance.mayLeave) trap('a resource built-in is called where nothing may be called')
      return run(value as number)
    } catch (error) {
      throw poison(instance.store, error)
    }
  }
}

export function resourceNew(instance: Instance, type: ResourceType): CoreFunction {
  return builtin(instance, (representation) =>
    instance.handles.add({ type, representation, lends: 0 }),
  )
}

export function resourceRep(instance: Instance, type: ResourceType): CoreFunction {
  return builtin(instance, (index) => instance.handles.get(index, type).representation)
}

export function resourceDrop(instance: Instance, type: ResourceType): CoreFunction {
  return builtin(instance, (index) => {
    const handle = instance.handles.remove(index, type)
    if (handle.scope !== undefined) {
      handle.scope.borrows--
      return undefined
    }
    destroy(type, handle.representation, instance)
    return undefined
  })
}
