/**
 * Types of the canonical ABI that refer to each other: the instance tree and its calls, the values
 * that pass between a component and the host, and how they are converted.
 *
 * @see component model, `CanonicalABI.md`
 */

import type { Budget } from '../../budget.ts'

export type CoreValue = number | bigint

export type CoreFunction = (...args: CoreValue[]) => unknown

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

/** What a lift or lower works with: its options resolved, its instance, the call it serves. */
export interface Call {
  readonly instance: Instance
  readonly memory: { readonly buffer: ArrayBufferLike } | undefined
  readonly realloc: CoreFunction | undefined
  readonly encoding: 'utf8' | 'utf16' | 'latin1+utf16'
  readonly scope: CallScope
  /** Views over the memory; `growable` memory gets new ones once its buffer changes. */
  views: { readonly bytes: Uint8Array; readonly data: DataView } | undefined
  /** Bytes that have been copied out of memory so far. */
  lifted: number
  /** Bytes charged for the values of this call. */
  charged: number
}

export type CoreType = 'i32' | 'i64' | 'f32' | 'f64'

/** Core values in order, taken one by one. */
export interface Flat {
  readonly values: readonly CoreValue[]
  at: number
}

/**
 * How values of one type pass between a component and us. `load` and `store` go through memory,
 * `lift` and `lower` through core parameters and results.
 *
 * Values on our side: numbers, `bigint` for 64 bits, strings (also for `char` and enums), arrays for
 * lists and tuples (`Uint8Array` for `list<u8>`), objects with camelCase keys for records and flags,
 * `{ tag, val }` for variants and results, `undefined` or the value for options (an option within an
 * option is `{ tag, val }`), the representation for the host's resources.
 *
 * @see component model, `CanonicalABI.md`
 */
export interface Codec {
  /** Equal types have one codec within an instance, and mostly within a component. */
  readonly id: number
  /** Whether there is a borrowed handle anywhere in it. */
  readonly borrows: boolean
  /** Whether there is any handle of a resource in it: resources are another type in each instance. */
  readonly handles: boolean
  /** Whether there is a string or list anywhere in it, whose content lies in memory. */
  readonly pointers: boolean
  readonly kind: string
  readonly size: number
  readonly align: number
  /**
   * Bytes that a value takes on our side beside its place in an array or object, measured in V8.
   * What lists and strings hold is counted when they pass.
   */
  readonly held: number
  /** At most `FLAT_CAP` long: beyond that values go through memory anyway. */
  readonly flat: readonly CoreType[]
  readonly load: (call: Call, at: number) => unknown
  readonly store: (call: Call, value: unknown, at: number) => void
  readonly lift: (call: Call, flat: Flat) => unknown
  readonly lower: (call: Call, value: unknown, out: CoreValue[]) => void
}

/** Canonical options with their indices resolved. */
export interface CanonContext {
  readonly instance: Instance
  readonly encoding: Call['encoding']
  readonly memory: Call['memory']
  readonly realloc: CoreFunction | undefined
  readonly postReturn: CoreFunction | undefined
  readonly async: boolean
  readonly callback: CoreFunction | undefined
}

/** What caller and callee tell each other while something waits. */
export interface CallControl {
  /** Set by the caller, who is told the result at once: what `call` gives comes a turn later. */
  readonly resolve?: (value: unknown) => void
  /** Set by the callee. True when that ends it; otherwise it gives `CANCELLED`, or its result. */
  cancel?: () => boolean
}
