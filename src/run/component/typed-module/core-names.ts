import type { AsyncBuiltin } from '../binary/model.ts'

/** A stream or future: the nth one in the type of a function, or one without a payload. */
export interface TransferName {
  readonly op:
    'new' | 'read' | 'write' | 'cancel-read' | 'cancel-write' | 'drop-readable' | 'drop-writable'
  readonly of: 'stream' | 'future'
  readonly position: number | 'unit'
  readonly func: string
  readonly async: boolean
}

type Untyped = Exclude<
  AsyncBuiltin,
  { of: unknown } | { op: 'task.return' | `waitable-set.${'wait' | 'poll'}` }
>

/** What a core import stands for, in the names that bindings generators use. */
export type CoreName =
  | { readonly kind: 'function'; readonly func: string; readonly async: boolean }
  | { readonly kind: 'resource.drop' | 'resource.new' | 'resource.rep'; readonly resource: string }
  | { readonly kind: 'task.return'; readonly func: string }
  | { readonly kind: 'transfer'; readonly transfer: TransferName }
  | {
      readonly kind: 'wait'
      readonly op: 'waitable-set.wait' | 'waitable-set.poll'
      readonly cancellable: boolean
    }
  | { readonly kind: 'builtin'; readonly builtin: Untyped }

/** The interface of functions and types that stand directly in a world. */
export const ROOT = '$root'
const EXPORTED = '[export]'
const ASYNC = '[async-lower]'
const CANCELLABLE = '[cancellable]'

const RESOURCE = /^\[resource-(drop|new|rep)\](.+)$/s
const TRANSFER =
  /^\[(stream|future)-(new|read|write|cancel-read|cancel-write|drop-readable|drop-writable)-(\d{1,9}|unit)\](.*)$/s
const CONTEXT = /^\[context-(get|set)-([01])\]$/

const BUILTINS: Readonly<Record<string, Untyped | undefined>> = {
  '[backpressure-inc]': { op: 'backpressure.inc' },
  '[backpressure-dec]': { op: 'backpressure.dec' },
  '[task-cancel]': { op: 'task.cancel' },
  '[subtask-drop]': { op: 'subtask.drop' },
  '[waitable-set-new]': { op: 'waitable-set.new' },
  '[waitable-set-drop]': { op: 'waitable-set.drop' },
  '[waitable-join]': { op: 'waitable.join' },
}

/** An import's module: the interface, and whether the component itself exports it. */
export function parseCoreModule(module: string): {
  readonly interface: string
  readonly exported: boolean
} {
  const exported = module.startsWith(EXPORTED)
  return { interface: exported ? module.slice(EXPORTED.length) : module, exported }
}

/**
 * What the name of an import means. Whatever is no name of the list is a function's.
 *
 * @see https://github.com/WebAssembly/component-model/blob/main/design/mvp/BuildTargets.md
 */
export function parseCoreName(name: string): CoreName {
  const [, verb, resource] = RESOURCE.exec(name) ?? []
  if (resource !== undefined)
    return { kind: `resource.${verb as 'drop' | 'new' | 'rep'}`, resource }
  if (name.startsWith('[task-return]')) return { kind: 'task.return', func: name.slice(13) }
  const builtin = Object.hasOwn(BUILTINS, name) ? BUILTINS[name] : contextOf(name)
  if (builtin !== undefined) return { kind: 'builtin', builtin }
  const cancellable = name.startsWith(CANCELLABLE)
  const waiting = cancellable ? name.slice(CANCELLABLE.length) : name
  if (waiting === '[waitable-set-wait]' || waiting === '[waitable-set-poll]')
    return {
      kind: 'wait',
      op: `waitable-set.${waiting.slice(14, 18) as 'wait' | 'poll'}`,
      cancellable,
    }
  if (waiting === '[thread-yield]')
    return { kind: 'builtin', builtin: { op: 'thread.yield', cancellable } }
  const async = name.startsWith(ASYNC)
  const func = async ? name.slice(ASYNC.length) : name
  if (func === '[subtask-cancel]')
    return { kind: 'builtin', builtin: { op: 'subtask.cancel', async } }
  const [, of, op, position, within] = TRANSFER.exec(func) ?? []
  if (of === undefined) return { kind: 'function', func, async }
  return {
    kind: 'transfer',
    transfer: {
      of: of as TransferName['of'],
      op: op as TransferName['op'],
      position: position === 'unit' ? 'unit' : Number(position),
      func: within as string,
      async,
    },
  }
}

function contextOf(name: string): Untyped | undefined {
  const [, verb, slot] = CONTEXT.exec(name) ?? []
  return verb === undefined
    ? undefined
    : { op: `context.${verb as 'get' | 'set'}`, slot: Number(slot) }
}
