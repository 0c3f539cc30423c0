import { type Json, toRecord } from '../../bytes/json.ts'
import type { LockedComponent, LockedDependency, LockedTrigger } from './locked-app.ts'

/** A locked trigger that still has its own dependencies. */
export interface UnassignedTrigger extends LockedTrigger {
  readonly trigger_config: Readonly<Record<string, Json>>
  readonly dependencies: Readonly<Record<string, readonly LockedDependency[]>>
}

/**
 * Moves triggers' dependencies to the components that they trigger, where hosts look for them.
 *
 * A component that several triggers use, not all with the same, gets a copy for each trigger that
 * has some; the original stays for the others.
 */
export function assignTriggerDependencies(
  triggers: readonly UnassignedTrigger[],
  components: readonly LockedComponent[],
): {
  readonly triggers: readonly LockedTrigger[]
  readonly components: readonly LockedComponent[]
} {
  const uses = new Map<string, number>()
  for (const {
    trigger_config: { component },
  } of triggers) {
    if (typeof component === 'string') uses.set(component, (uses.get(component) ?? 0) + 1)
  }
  const byId = new Map(components.map((component) => [component.id, component]))
  const freeId = createFreeIds(byId)
  const assigned = triggers.map(({ dependencies, ...trigger }): LockedTrigger => {
    const id = trigger.trigger_config['component']
    const component = typeof id === 'string' ? byId.get(id) : undefined
    if (component === undefined || !Object.values(dependencies).some((list) => list.length > 0))
      return trigger
    const target =
      (uses.get(component.id) ?? 0) > 1 ? freeId(`${component.id}-for-${trigger.id}`) : component.id
    byId.set(
      target,
      withDependencies({ ...component, id: target }, trigger.trigger_type, dependencies),
    )
    return {
      ...trigger,
      trigger_config: toRecord([...Object.entries(trigger.trigger_config), ['component', target]]),
    }
  })
  return { triggers: assigned, components: [...byId.values()] }
}

/** Gives each id once: as wanted, or with the next number that is free. */
function createFreeIds(taken: ReadonlyMap<string, unknown>): (wanted: string) => string {
  const counts = new Map<string, number>()
  return (wanted) => {
    let id = wanted
    let count = counts.get(wanted) ?? 1
    while (taken.has(id)) id = `${wanted}-d${count++}`
    counts.set(wanted, count)
    return id
  }
}

function withDependencies(
  component: LockedComponent,
  type: string,
  dependencies: UnassignedTrigger['dependencies'],
): LockedComponent {
  return {
    ...component,
    metadata: toRecord<Json>([
      ...Object.entries(component.metadata ?? {}),
      ['resolve-trigger-dependencies-using', type],
    ]),
    trigger_dependencies: dependencies,
    ...(Object.hasOwn(dependencies, 'middleware')
      ? {
          host_requirements: toRecord([
            ...Object.entries(component.host_requirements ?? {}),
            ['middleware', 'required'],
          ]),
        }
      : {}),
  }
}
