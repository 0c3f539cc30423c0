import { changed, trap, until } from './runtime.ts'
import type { Entry, Instance, Store } from './model.ts'

/** What a guest is told: a code, the index that it is about, and how it went. */
export type Event = readonly [code: number, index: number, payload: number]

export const SUBTASK = 1
export const STREAM_READ = 2
export const STREAM_WRITE = 3
export const FUTURE_READ = 4
export const FUTURE_WRITE = 5

export const NO_EVENT: Event = [0, 0, 0]
export const TASK_CANCELLED: Event = [6, 0, 0]

/** What something gives that isn't done yet. */
export const BLOCKED: number = 0xffff_ffff | 0

/** A subtask, or one end of a stream or future: something that a guest can wait for. */
export interface Waitable extends Entry {
  /** What to tell, worked out when it is told: until then it may still change. */
  event: (() => Event) | undefined
  set: WaitableSet | undefined
  /** Core code stands still for it. */
  awaited: boolean
}

interface WaitableSet extends Entry {
  readonly kind: 'waitable set'
  readonly members: Set<Waitable>
  /** Who wait for it now. */
  waiting: number
}

export function createWaitableSet(): WaitableSet {
  return { kind: 'waitable set', members: new Set(), waiting: 0 }
}

function isWaitable(entry: Entry): entry is Waitable {
  return 'awaited' in entry
}

function isWaitableSet(entry: Entry): entry is WaitableSet {
  return entry.kind === 'waitable set'
}

export function setAt({ handles }: Instance, index: number): WaitableSet {
  const entry = handles.get(index)
  return isWaitableSet(entry)
    ? entry
    : trap(`handle ${index} is a ${entry.kind}, not a waitable set`)
}

export function waitableAt({ handles }: Instance, index: number): Waitable {
  const entry = handles.get(index)
  return isWaitable(entry) ? entry : trap(`handle ${index} is a ${entry.kind}, nothing to wait for`)
}

export function announce(store: Store, waitable: Waitable, event: () => Event): void {
  waitable.event = event
  changed(store)
}

export function takeEvent(waitable: Waitable): Event {
  const { event } = waitable
  waitable.event = undefined
  return event === undefined ? trap('an event is taken twice') : event()
}

export function readyMember({ members }: WaitableSet): Waitable | undefined {
  for (const member of members) if (member.event !== undefined) return member
  return undefined
}

/** The next event of a set that has one. Its source goes last, so that none is passed over. */
export function nextEvent(set: WaitableSet): Event {
  const member = readyMember(set)
  if (member === undefined) return NO_EVENT
  set.members.delete(member)
  set.members.add(member)
  return takeEvent(member)
}

export function join(waitable: Waitable, set: WaitableSet | undefined): void {
  if (waitable.awaited) trap('core code stands still for what it puts into a waitable set')
  waitable.set?.members.delete(waitable)
  waitable.set = set
  set?.members.add(waitable)
}

export function dropWaitableSet(instance: Instance, index: number): void {
  const set = setAt(instance, index)
  if (set.members.size > 0) trap('a waitable set is dropped that has members')
  if (set.waiting > 0) trap('a waitable set is dropped that somebody waits for')
  instance.handles.remove(index)
}

/** Waits for the event of one waitable. */
export async function untilEvent(store: Store, waitable: Waitable): Promise<Event> {
  waitable.awaited = true
  await until(store, () => waitable.event !== undefined)
  waitable.awaited = false
  return takeEvent(waitable)
}
