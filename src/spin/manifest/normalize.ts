import { AppInvalid } from '../../errors.ts'
import type {
  AppManifest,
  ComponentDependency,
  ComponentProfile,
  ComponentSource,
  ComponentTable,
  TriggerTable,
} from './app-manifest.ts'
import { dependencyIdProblem, inheritsTwice, inheritTwiceProblem } from './dependencies.ts'
import { kebabProblem } from './ids.ts'
import { ownValue, toRecord } from '../../bytes/json.ts'

export interface NormalizeOptions {
  /** Build profile to apply: it must be one of some component. */
  profile?: string
  /** Path of the manifest, for messages. Default `spin.toml`. */
  path?: string
}

/**
 * Gives each trigger an id and each component in place a name, applies a profile, and replaces
 * dependencies on components by those components' sources.
 *
 * Exported from `spindle/app`. Throws `AppInvalid` for a profile or component that isn't there.
 */
export function normalizeManifest(
  manifest: AppManifest,
  options: NormalizeOptions = {},
): AppManifest {
  const { profile, path = 'spin.toml' } = options
  const fail = (code: string, message: string): never => {
    throw new AppInvalid([{ code, message, path }])
  }
  const named = nameComponents(nameTriggers(manifest))
  const components = Object.entries(named.component ?? {})
  if (
    profile !== undefined &&
    !components.some(([, { profile: profiles }]) => ownValue(profiles, profile) !== undefined)
  ) {
    fail('unknown-profile', `Profile ${profile} is not defined in this application`)
  }
  const applied = components.map(([id, component]) => {
    const profiled = applyProfile(component, ownValue(component.profile, profile ?? ''))
    // A manifest without this may become one with it by its profile.
    if (inheritsTwice(profiled)) fail('inherit-twice', inheritTwiceProblem(id))
    return [id, inheritAll(profiled)] as const
  })
  const whole: AppManifest = { ...named, component: toRecord(applied) }
  const resolve = (dependency: ComponentDependency, depender: string): ComponentDependency => {
    if (typeof dependency === 'string' || !('component' in dependency)) return dependency
    const { component: id, ...rest } = dependency
    const problem = dependencyIdProblem(id, depender, whole)
    const target = ownValue(whole.component, id)
    return problem !== undefined || target === undefined
      ? fail('invalid-dependency', problem ?? `dependency ID ${id} does not exist`)
      : { ...fromSource(target.source), ...rest }
  }
  return {
    ...named,
    trigger: mapValues(named.trigger, (list) =>
      list.map((trigger) => mapTriggerDependencies(trigger, resolve)),
    ),
    ...(applied.length === 0
      ? {}
      : {
          component: toRecord(
            applied.map(([id, component]) => [id, mapDependencies(component, id, resolve)]),
          ),
        }),
  }
}

function mapValues<T, R>(
  record: Readonly<Record<string, T>>,
  map: (value: T, key: string) => R,
): Readonly<Record<string, R>> {
  return toRecord(Object.entries(record).map(([key, value]) => [key, map(value, key)]))
}

function nameTriggers(manifest: AppManifest): AppManifest {
  const taken = new Set(
    Object.values(manifest.trigger)
      .flat()
      .map(({ id }) => id),
  )
  return {
    ...manifest,
    trigger: mapValues(manifest.trigger, (list, type) => {
      let counter = 1
      return list.map((trigger) => {
        if (trigger.id !== undefined) return trigger
        let id = `${trigger.component}-${type}-trigger`
        if (typeof trigger.component !== 'string' || taken.has(id)) {
          while (taken.has(`${type}-trigger${counter}`)) counter++
          id = `${type}-trigger${counter}`
        }
        taken.add(id)
        return { ...trigger, id }
      })
    }),
  }
}

function nameComponents(manifest: AppManifest): AppManifest {
  const components = new Map(Object.entries(manifest.component ?? {}))
  const trigger = mapValues(manifest.trigger, (list) =>
    list.map((entry): TriggerTable => {
      const { component, components: more = {} } = entry
      const count = (component === undefined ? 0 : 1) + Object.values(more).flat().length
      let counter = 1
      const name = (spec: string | ComponentTable): string => {
        if (typeof spec === 'string') return spec
        let id = `${entry.id}-component`
        if (count > 1 || kebabProblem(id) !== undefined || components.has(id)) {
          while (components.has(`inline-component${counter}`)) counter++
          id = `inline-component${counter}`
        }
        components.set(id, spec)
        return id
      }
      return {
        ...entry,
        ...(component === undefined ? {} : { component: name(component) }),
        ...(entry.components === undefined
          ? {}
          : { components: mapValues(more, (specs) => specs.map(name)) }),
      }
    }),
  )
  return {
    ...manifest,
    trigger,
    ...(components.size === 0 ? {} : { component: toRecord(components) }),
  }
}

function applyProfile(
  component: ComponentTable,
  profile: ComponentProfile | undefined,
): ComponentTable {
  if (profile === undefined) return component
  const { source, environment, dependencies, build } = profile
  return {
    ...component,
    ...(source === undefined ? {} : { source }),
    ...(environment === undefined
      ? {}
      : { environment: merge(component.environment, environment) }),
    ...(dependencies === undefined
      ? {}
      : { dependencies: merge(component.dependencies, dependencies) }),
    ...(build?.command === undefined
      ? {}
      : { build: { ...component.build, command: build.command } }),
  }
}

function merge<T>(
  base: Readonly<Record<string, T>> | undefined,
  over: Readonly<Record<string, T>>,
): Readonly<Record<string, T>> {
  return toRecord([...Object.entries(base ?? {}), ...Object.entries(over)])
}

/** One switch for all dependencies becomes one on each; those that are only a version have none. */
function inheritAll(component: ComponentTable): ComponentTable {
  const { dependencies_inherit_configuration: inherit, ...rest } = component
  if (inherit !== true) return component
  if (rest.dependencies === undefined) return rest
  return {
    ...rest,
    dependencies: mapValues(rest.dependencies, (dependency) =>
      typeof dependency === 'string' ? dependency : { ...dependency, inherit_configuration: true },
    ),
  }
}

type Resolve = (dependency: ComponentDependency, depender: string) => ComponentDependency

function mapDependencies(component: ComponentTable, id: string, resolve: Resolve): ComponentTable {
  if (component.dependencies === undefined) return component
  return {
    ...component,
    dependencies: mapValues(component.dependencies, (dependency) => resolve(dependency, id)),
  }
}

function mapTriggerDependencies(trigger: TriggerTable, resolve: Resolve): TriggerTable {
  if (trigger.dependencies === undefined) return trigger
  return {
    ...trigger,
    dependencies: mapValues(trigger.dependencies, (list) =>
      list.map((dependency) => resolve(dependency, trigger.id ?? '')),
    ),
  }
}

function fromSource(source: ComponentSource): ComponentDependency & object {
  return typeof source === 'string' ? { path: source } : source
}
