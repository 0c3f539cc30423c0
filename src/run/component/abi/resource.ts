import { HELD, takeNumber, type CodecBody } from './codec.ts'
import { views } from './memory.ts'
import type { Call, Entry, Handle, Instance, ResourceType } from './model.ts'
import { assertAlive, chain, isOnStack, trap } from './runtime.ts'

/** A guest's resource in the host's hands. Pass it back as it is; `dropResource` ends an owned one. */
export interface GuestResource {
  readonly type: ResourceType
  readonly representation: unknown
}

/** What became of those that the host was given to own. Borrowed ones are not among them. */
const owned = new WeakMap<object, 'held' | 'gone'>()

function assertHeld(type: ResourceType, value: unknown): void {
  if (type.owner !== undefined && owned.get(value as object) === 'gone')
    throw new TypeError(`a host uses a ${type.name} that it has given away or dropped`)
}

/** Ends the host's ownership of a guest's resource. */
function giveAway(type: ResourceType, value: unknown): void {
  if (type.owner === undefined) return
  assertHeld(type, value)
  if (!owned.has(value as object))
    throw new TypeError(`a host gives a ${type.name} away that it has only borrowed`)
  owned.set(value as object, 'gone')
}

export function isHandle(entry: Entry): entry is Handle {
  return entry.kind === 'handle'
}

export function handleAt({ handles }: Instance, index: number, type: ResourceType): Handle {
  const entry = handles.get(index)
  if (!isHandle(entry)) return trap(`handle ${index >>> 0} is a ${entry.kind}, not a ${type.name}`)
  if (entry.type !== type) trap(`handle ${index >>> 0} is a ${entry.type.name}, not a ${type.name}`)
  return entry
}

/** Takes a handle out that nobody has borrowed. */
export function takeHandle(instance: Instance, index: number, type: ResourceType): Handle {
  const handle = handleAt(instance, index, type)
  if (handle.lends > 0) trap(`handle ${index >>> 0} (${type.name}) is lent out`)
  instance.handles.remove(index)
  return handle
}

function toHost(type: ResourceType, representation: unknown): unknown {
  return type.owner === undefined
    ? representation
    : ({ type, representation } satisfies GuestResource)
}

function fromHost(type: ResourceType, value: unknown): unknown {
  if (type.owner === undefined) {
    if (value === undefined || value === null) throw new TypeError(`a host gave no ${type.name}`)
    return value
  }
  const resource = value as GuestResource | undefined
  if (resource?.type !== type)
    throw new TypeError(`a host gave something else where a ${type.name} is due`)
  return resource.representation
}

/** A new handle in the instance's table, which owns what it stands for. */
export function addOwned(
  { handles }: Instance,
  type: ResourceType,
  representation: unknown,
): number {
  const handle: Handle = { kind: 'handle', type, representation, lends: 0 }
  return handles.add(handle)
}

/** Values that pass as an index into the table of handles. */
export function handleCodec(
  kind: string,
  read: (call: Call, index: number) => unknown,
  write: (call: Call, value: unknown) => number,
): CodecBody {
  return {
    kind,
    size: 4,
    align: 4,
    held: HELD.tagged,
    flat: ['i32'],
    load: (call, at) => read(call, views(call).data.getUint32(at, true)),
    store: (call, value, at) => views(call).data.setUint32(at, write(call, value), true),
    lift: (call, flat) => read(call, takeNumber(flat)),
    lower: (call, value, out) => {
      out.push(write(call, value))
    },
  }
}

export function own(type: ResourceType): CodecBody {
  return handleCodec(
    'own',
    ({ instance }, index) => {
      if (handleAt(instance, index, type).scope !== undefined)
        trap(`handle ${index} (${type.name}) is borrowed and can't be given away`)
      const value = toHost(type, takeHandle(instance, index, type).representation)
      if (type.owner !== undefined) owned.set(value as object, 'held')
      return value
    },
    ({ instance }, value) => {
      const representation = fromHost(type, value)
      giveAway(type, value)
      return addOwned(instance, type, representation)
    },
  )
}

export function borrow(type: ResourceType): CodecBody {
  return handleCodec(
    'borrow',
    ({ instance, scope }, index) => {
      const handle = handleAt(instance, index, type)
      // A lent handle can't be dropped or given away before the call that uses it ends.
      handle.lends++
      scope.lent.push(handle)
      return toHost(type, handle.representation)
    },
    ({ instance, scope }, value) => {
      const representation = fromHost(type, value)
      assertHeld(type, value)
      // The component that defines a resource gets its own representation, not a handle.
      if (type.owner === instance) return representation as number
      scope.borrows++
      const handle: Handle = { kind: 'handle', type, representation, scope, lends: 0 }
      return instance.handles.add(handle)
    },
  )
}

export function settleLends(lent: readonly Handle[]): void {
  for (const handle of lent) handle.lends--
}

/** Runs what the definer of the type does at the end of one. */
export function destroy(type: ResourceType, representation: unknown, from?: unknown): unknown {
  const { owner, drop } = type
  if (drop === undefined) return undefined
  if (owner === undefined || owner === from) return drop(representation)
  assertAlive(owner.store)
  if (owner.entered || isOnStack(owner)) trap(`a ${type.name} is dropped while its component runs`)
  owner.entered = true
  return chain(drop(representation), (value) => {
    owner.entered = false
    return value
  })
}

/** Ends a resource that a component gave to the host as `own`. */
export function dropResource(resource: GuestResource): unknown {
  giveAway(resource.type, resource)
  return destroy(resource.type, resource.representation)
}
