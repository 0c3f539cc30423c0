import { takeNumber, type CodecBody } from './codec.ts'
import { views, type Call } from './memory.ts'
import { assertAlive, chain, trap, type Handle, type ResourceType } from './runtime.ts'

/** A guest's resource in the host's hands. Pass it back as it is; `dropResource` ends an owned one. */
export interface GuestResource {
  readonly type: ResourceType
  readonly representation: unknown
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

function handleCodec(
  kind: string,
  read: (call: Call, index: number) => unknown,
  write: (call: Call, value: unknown) => number,
): CodecBody {
  return {
    kind,
    size: 4,
    align: 4,
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
      const handle = instance.handles.get(index, type)
      if (handle.scope !== undefined)
        trap(`handle ${index} (${type.name}) is borrowed and can't be given away`)
      instance.handles.remove(index, type)
      return toHost(type, handle.representation)
    },
    ({ instance }, value) =>
      instance.handles.add({ type, representation: fromHost(type, value), lends: 0 }),
  )
}

export function borrow(type: ResourceType): CodecBody {
  return handleCodec(
    'borrow',
    ({ instance, scope }, index) => {
      const handle = instance.handles.get(index, type)
      // A lent handle can't be dropped or given away before the call that uses it ends.
      handle.lends++
      scope.lent.push(handle)
      return toHost(type, handle.representation)
    },
    ({ instance, scope }, value) => {
      const representation = fromHost(type, value)
      // The component that defines a resource gets its own representation, not a handle.
      if (type.owner === instance) return representation as number
      scope.borrows++
      return instance.handles.add({ type, representation, scope, lends: 0 })
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
  if (owner.entered) trap(`a ${type.name} is dropped while its component runs`)
  owner.entered = true
  return chain(drop(representation), (value) => {
    owner.entered = false
    return value
  })
}

/** Ends a resource that a component gave to the host as `own`. */
export function dropResource(resource: GuestResource): unknown {
  return destroy(resource.type, resource.representation)
}
