import type { CodecBody } from './codec.ts'
import type { Codec, Call, Entry, Instance } from './model.ts'
import { loadItems, storeItems } from './list.ts'
import { assertRange, settleCharges } from './memory.ts'
import { handleCodec } from './resource.ts'
import { poison, trap } from './runtime.ts'
import type { Waitable } from './waitable.ts'

export const COMPLETED = 0
export const DROPPED = 1
export const STOPPED = 2
export type CopyResult = typeof COMPLETED | typeof DROPPED | typeof STOPPED

/** Where the items of one read go, or those of one write come from. */
interface CopyBuffer {
  readonly length: number
  /** Items that have passed. */
  progress: number
  /** The next items of a write. */
  take(count: number): ArrayLike<unknown>
  /** Items for a read, at most as many as it has room for. */
  put(items: ArrayLike<unknown>): void
  /** Something went wrong that nobody is there to be told of. */
  fail(error: unknown): void
}

export function roomOf(buffer: CopyBuffer): number {
  return buffer.length - buffer.progress
}

/** How a read or write goes on once it has been begun. */
export interface Copy {
  readonly buffer: CopyBuffer
  /** Some have passed; more may, until `reclaim` is called. */
  readonly some: (reclaim: () => void) => void
  readonly done: (result: CopyResult) => void
}

/** The readable end of a stream or future, whoever writes: what passes from hand to hand. */
export interface Readable {
  read(copy: Copy): void
  /** Ends a copy that was begun, unless it has ended. */
  cancel(copy: Copy): void
  drop(): void
}

/** What both ends of a guest's stream or future share. */
export interface Pipe extends Readable {
  write(copy: Copy): void
  /** The guest is gone before it has dropped the writable end: nobody may take that for an end. */
  fail(error: unknown): void
}

// As the canonical ABI has it: the count shares 32 bits with the result.
const MAX_ITEMS = 2 ** 28 - 1

/** A guest's memory as one side of a copy. */
export function createGuestBuffer(
  call: Call,
  element: Codec | undefined,
  pointer: number,
  length: number,
): CopyBuffer {
  if (length > MAX_ITEMS) trap(`${length} items are copied at once`)
  if (element !== undefined && length > 0)
    assertRange(call, pointer, length * element.size, element.align)
  const next = (): number => pointer + buffer.progress * (element?.size ?? 0)
  const buffer: CopyBuffer = {
    length,
    progress: 0,
    take(count) {
      // Each piece goes its own way before the next is taken.
      call.lifted = 0
      const items =
        element === undefined
          ? Array.from({ length: count })
          : loadItems(call, element, next(), count)
      buffer.progress += count
      settleCharges(call)
      return items
    },
    put(items) {
      if (items.length > roomOf(buffer))
        throw new TypeError(`a host gave ${items.length} items where ${roomOf(buffer)} have room`)
      if (element !== undefined) storeItems(call, element, items, next())
      settleCharges(call)
      buffer.progress += items.length
    },
    fail: (error) => void poison(call.instance.store, error),
  }
  return buffer
}

/** A stream or future that a guest has made. Copies go straight from one side's memory to the other's. */
export function createPipe(kind: 'stream' | 'future'): Pipe {
  let dropped = false
  let failure: { readonly error: unknown } | undefined
  let pending: Copy | undefined
  const end = (result: CopyResult): void => {
    const copy = pending
    pending = undefined
    copy?.done(result)
  }
  /** `from` and `to` are the buffers of the two sides, one of them the pending one's. */
  const meet = (copy: Copy, other: Copy, from: CopyBuffer, to: CopyBuffer): void => {
    if (roomOf(other.buffer) > 0) {
      const count = Math.min(roomOf(from), roomOf(to))
      if (count > 0) {
        to.put(from.take(count))
        if (kind === 'future') end(COMPLETED)
        else {
          other.some(() => {
            if (pending === other) pending = undefined
          })
        }
      }
      return copy.done(COMPLETED)
    }
    end(COMPLETED)
    pending = copy
  }
  return {
    read(copy) {
      if (failure !== undefined) copy.buffer.fail(failure.error)
      else if (dropped) copy.done(DROPPED)
      else if (pending === undefined) pending = copy
      else meet(copy, pending, pending.buffer, copy.buffer)
    },
    write(copy) {
      if (dropped) copy.done(DROPPED)
      else if (pending === undefined) pending = copy
      // Two of length zero meet: the writer goes first, so that it can write.
      else if (copy.buffer.length === 0 && pending.buffer.length === 0) copy.done(COMPLETED)
      else meet(copy, pending, copy.buffer, pending.buffer)
    },
    cancel(copy) {
      if (pending === copy) end(STOPPED)
    },
    drop() {
      if (dropped) return
      dropped = true
      end(DROPPED)
    },
    fail(error) {
      if (dropped) return
      failure = { error }
      pending?.buffer.fail(error)
    },
  }
}

/** One end in a guest's table. */
export interface End extends Waitable {
  readonly kind: 'readable end' | 'writable end'
  /** Tells streams from futures and one element type from another. */
  readonly type: string
  readonly pipe: Readable
  /** What was begun last. */
  copy: Copy | undefined
  state: 'idle' | 'copying' | 'cancelling' | 'done'
}

export function createEnd(kind: End['kind'], type: string, pipe: Readable): End {
  return {
    kind,
    type,
    pipe,
    copy: undefined,
    state: 'idle',
    event: undefined,
    set: undefined,
    awaited: false,
  }
}

export function isEnd(entry: Entry): entry is End {
  return 'pipe' in entry
}

/** Whether any end among these is read or written whose other end isn't among them. */
export function copiesBeyond(entries: readonly Entry[]): boolean {
  const ends = entries.filter(isEnd)
  const counts = new Map<Readable, number>()
  for (const { pipe } of ends) counts.set(pipe, (counts.get(pipe) ?? 0) + 1)
  return ends.some(
    ({ pipe, state, event }) =>
      event === undefined &&
      (state === 'copying' || state === 'cancelling') &&
      counts.get(pipe) === 1,
  )
}

/** What becomes of an end whose guest is gone. */
export function abandon({ kind, pipe }: End, error: unknown): void {
  if (kind === 'readable end') pipe.drop()
  else (pipe as Pipe).fail(error)
}

export function endAt({ handles }: Instance, index: number, kind: End['kind'], type: string): End {
  const entry = handles.get(index)
  if (entry.kind !== kind) return trap(`handle ${index >>> 0} is a ${entry.kind}, not a ${kind}`)
  const end = entry as End
  return end.type === type ? end : trap(`handle ${index >>> 0} is an end of another type`)
}

export function transferKey(kind: 'stream' | 'future', element: Codec | undefined): string {
  return `${kind} ${element?.id}`
}

/** The readable end itself, on our side. */
export function transfer(type: string, kind: 'stream' | 'future'): CodecBody {
  return handleCodec(
    kind,
    ({ instance }, index) => {
      const end = endAt(instance, index, 'readable end', type)
      if (end.state !== 'idle') trap(`a ${kind} is given away that is ${end.state}`)
      if (end.set !== undefined) trap(`a ${kind} is given away out of a waitable set`)
      instance.handles.remove(index)
      return end.pipe
    },
    ({ instance }, value) => {
      if (typeof (value as Partial<Readable> | undefined)?.read !== 'function')
        throw new TypeError(`a host gave something else where a ${kind} is due`)
      return instance.handles.add(createEnd('readable end', type, value as Readable))
    },
  )
}
