import { cancelTask, returnFromTask, takeCancellation } from './async-lift.ts'
import { cancelSubtask, dropSubtask } from './async-lower.ts'
import { beginCall, fromCore, fromCoreAnywhere } from '../abi/canon.ts'
import type { CanonContext, Call, CoreFunction, CoreValue, Instance, Task } from '../abi/model.ts'
import { mayWait, standStill } from '../abi/jspi.ts'
import { assertRange, views } from '../abi/memory.ts'
import type { AsyncBuiltin, CanonOptions } from '../binary/model.ts'
import { changed, nextTurn, trap, until } from '../abi/runtime.ts'
import {
  cancelCopy,
  copy,
  createTransfer,
  dropEnd,
  type TransferType,
} from './transfer-builtins.ts'
import { at, codecOf, invalid, type Scope } from '../abi/types.ts'
import {
  createWaitableSet,
  dropWaitableSet,
  join,
  nextEvent,
  NO_EVENT,
  readyMember,
  setAt,
  TASK_CANCELLED,
  waitableAt,
  type Event,
} from '../abi/waitable.ts'

// As the canonical ABI has it.
const MAX_BACKPRESSURE = 2 ** 16 - 1

function transferType(of: 'stream' | 'future', index: number, scope: Scope): () => TransferType {
  const entry = at(scope.types, index, 'type')
  if (entry.kind === 'resource' || entry.def.kind !== of)
    return invalid(`type ${index} is no ${of}`)
  const { element } = entry.def
  let made: TransferType | undefined
  return () =>
    (made ??= {
      kind: of,
      element: element === undefined ? undefined : codecOf(element, entry.scope),
    })
}

/** Where a built-in stands: its instance, what its indices of types mean, and its canonical options. */
export interface BuiltinPlace {
  readonly instance: Instance
  readonly scope: Scope
  readonly context: (options: CanonOptions) => CanonContext
}

/** A core function for one of the built-ins of what waits. */
export function asyncBuiltin(builtin: AsyncBuiltin, place: BuiltinPlace): CoreFunction {
  const { instance, scope } = place
  const { store, handles } = instance
  const name = 'of' in builtin ? `${builtin.of}.${builtin.op}` : builtin.op
  const define = (run: (...values: number[]) => unknown): CoreFunction =>
    fromCore(instance, name, run as (...values: CoreValue[]) => unknown)
  const anywhere = (run: (value: CoreValue) => unknown): CoreFunction =>
    fromCoreAnywhere(instance, run as (...values: CoreValue[]) => unknown)
  const task = (): Task => store.running ?? trap(`"${name}" is called outside of any call`)
  const write = (call: Call, [code, index, payload]: Event, pointer: number): number => {
    assertRange(call, pointer >>> 0, 8, 4)
    const { data } = views(call)
    data.setUint32(pointer >>> 0, index, true)
    data.setUint32((pointer >>> 0) + 4, payload, true)
    return code
  }

  switch (builtin.op) {
    case 'backpressure.inc':
      return anywhere(() => {
        if (++instance.backpressure > MAX_BACKPRESSURE) trap('too much backpressure')
      })
    case 'backpressure.dec':
      return anywhere(() => {
        if (--instance.backpressure < 0) trap('less backpressure than none')
        changed(store)
      })
    case 'context.get':
      return anywhere(() => task().storage[builtin.slot as 0 | 1])
    case 'context.set':
      return anywhere((value) => void (task().storage[builtin.slot as 0 | 1] = value))
    case 'task.return': {
      const context = place.context(builtin.options)
      const { result } = builtin
      return define((...values) =>
        returnFromTask(
          task(),
          context,
          result === undefined ? undefined : codecOf(result, scope),
          values,
        ),
      )
    }
    case 'task.cancel':
      return define(() => cancelTask(task()))
    case 'thread.yield':
      return mayWait(
        instance,
        define(() => {
          const { work } = task()
          if (builtin.cancellable && takeCancellation(work)) return 1
          return standStill(store, name, async () => {
            await nextTurn(store)
            return builtin.cancellable && takeCancellation(work) ? 1 : 0
          })
        }),
      )
    case 'subtask.cancel': {
      const cancel = define((index) => cancelSubtask(instance, index, builtin.async))
      return builtin.async ? cancel : mayWait(instance, cancel)
    }
    case 'subtask.drop':
      return define((index) => dropSubtask(instance, index))
    case 'waitable-set.new':
      return define(() => handles.add(createWaitableSet()))
    case 'waitable-set.drop':
      return define((index) => dropWaitableSet(instance, index))
    case 'waitable.join':
      return define((index, set) =>
        join(waitableAt(instance, index), set === 0 ? undefined : setAt(instance, set)),
      )
    case 'waitable-set.poll':
    case 'waitable-set.wait': {
      const call = memoryCall(builtin.memory, place)
      const waits = builtin.op === 'waitable-set.wait'
      const ask = define((index, pointer) => {
        const set = setAt(instance, index)
        const { work } = task()
        let event: Event | undefined
        const take = (): boolean => {
          if (builtin.cancellable && takeCancellation(work)) event = TASK_CANCELLED
          else if (readyMember(set) !== undefined) event = nextEvent(set)
          return event !== undefined
        }
        if (take() || !waits) return write(call(), event ?? NO_EVENT, pointer)
        return standStill(store, name, async () => {
          set.waiting++
          await until(store, take)
          set.waiting--
          return write(call(), event ?? NO_EVENT, pointer)
        })
      })
      return waits ? mayWait(instance, ask) : ask
    }
    case 'new': {
      const type = transferType(builtin.of, builtin.type, scope)
      return define(() => createTransfer(instance, type()))
    }
    case 'read':
    case 'write': {
      const type = transferType(builtin.of, builtin.type, scope)
      const context = place.context(builtin.options)
      const side = builtin.op === 'read' ? 'readable end' : 'writable end'
      const begin = define((index, pointer, length = 1) =>
        copy(context, type(), side, index, pointer >>> 0, length >>> 0),
      )
      return context.async ? begin : mayWait(instance, begin)
    }
    case 'cancel-read':
    case 'cancel-write': {
      const type = transferType(builtin.of, builtin.type, scope)
      const side = builtin.op === 'cancel-read' ? 'readable end' : 'writable end'
      const cancel = define((index) => cancelCopy(instance, type(), side, index, builtin.async))
      return builtin.async ? cancel : mayWait(instance, cancel)
    }
    case 'drop-readable':
    case 'drop-writable': {
      const type = transferType(builtin.of, builtin.type, scope)
      const side = builtin.op === 'drop-readable' ? 'readable end' : 'writable end'
      return define((index) => dropEnd(instance, type(), side, index))
    }
  }
}

function memoryCall(memory: number, { context: resolve }: BuiltinPlace): () => Call {
  const context = resolve({
    encoding: 'utf8',
    memory,
    realloc: undefined,
    postReturn: undefined,
    async: false,
    callback: undefined,
  })
  return () => beginCall(context)
}
