import { fromCore, fromCoreAnywhere } from './canon.ts'
import { addOwned, destroy, handleAt, takeHandle } from './resource.ts'
import type { CoreFunction, Instance, ResourceType } from './model.ts'

export function resourceNew(instance: Instance, type: ResourceType): CoreFunction {
  return fromCore(instance, 'resource.new', (representation) =>
    addOwned(instance, type, representation),
  )
}

export function resourceRep(instance: Instance, type: ResourceType): CoreFunction {
  return fromCoreAnywhere(
    instance,
    (index) => handleAt(instance, Number(index), type).representation,
  )
}

export function resourceDrop(instance: Instance, type: ResourceType): CoreFunction {
  return fromCore(instance, 'resource.drop', (index) => {
    const handle = takeHandle(instance, Number(index), type)
    if (handle.scope !== undefined) handle.scope.borrows--
    else destroy(type, handle.representation, instance)
    return undefined
  })
}
