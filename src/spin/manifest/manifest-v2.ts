import type { AppManifest, ApplicationTable, ComponentTable, TriggerTable } from './app-manifest.ts'
import { readComponent, readStrings, readTargets, readVariables } from './component-table.ts'
import { checkDependencies, dependencyIdProblem } from './dependencies.ts'
import { readTriggerDependency } from './dependency-table.ts'
import { checkHttpTrigger } from './http-trigger.ts'
import { kebabProblem } from './ids.ts'
import {
  checked,
  listOf,
  mapOf,
  readConfigTable,
  type Reader,
  readString,
  readToolTable,
  tableOf,
  wrongType,
} from './readers.ts'
import { checkRedisTrigger } from './redis-trigger.ts'
import { childSpot, childSpots, isTable, silent, type Spot } from './spot.ts'

const readApplication: Reader<ApplicationTable> = tableOf<ApplicationTable>(
  {
    name: readString,
    version: readString,
    description: readString,
    authors: readStrings,
    targets: readTargets,
    trigger: mapOf(readConfigTable),
    tool: mapOf(readToolTable),
  },
  ['name'],
)

const readId = checked('invalid-id', kebabProblem)

const readComponentSpec: Reader<string | ComponentTable> = (spot) => {
  if (typeof spot.value === 'string') return readId(spot)
  return isTable(spot.value) ? readComponent(spot) : wrongType(spot, "a component's id or table")
}

const readComponentSpecs: Reader<readonly (string | ComponentTable)[]> = (spot) => {
  if (Array.isArray(spot.value)) return listOf(readComponentSpec)(spot)
  const one = readComponentSpec(spot)
  return one === undefined ? undefined : [one]
}

const readTriggerParts = {
  id: readString,
  component: readComponentSpec,
  components: mapOf(readComponentSpecs),
  dependencies: mapOf(listOf(readTriggerDependency)),
} as const

const readTrigger: Reader<TriggerTable> = (spot) => {
  if (!isTable(spot.value)) return wrongType(spot, 'a map')
  const parts: Record<string, unknown> = {}
  const rest = Object.create(null) as Record<string, unknown>
  for (const [key, child] of childSpots(spot)) {
    if (Object.hasOwn(readTriggerParts, key)) {
      const value = readTriggerParts[key as keyof typeof readTriggerParts](child)
      // An empty id is as good as none.
      if (value !== undefined && value !== '') parts[key] = value
    } else {
      rest[key] = child.value
    }
  }
  return { ...parts, config: readConfigTable({ ...spot, value: rest }) ?? Object.create(null) }
}

const readManifest: Reader<AppManifest> = tableOf<AppManifest>(
  {
    spin_manifest_version: () => 2,
    application: readApplication,
    variables: readVariables,
    trigger: mapOf(listOf(readTrigger)),
    component: mapOf(readComponent, 'invalid-id', kebabProblem),
  },
  ['application', 'trigger'],
)

/** A manifest of version 2. What is wrong with it is in the report of `root`, as for a host in that of `start`. */
export function readManifestV2(root: Spot, start: Spot): AppManifest | undefined {
  const manifest = readManifest(root)
  if (manifest === undefined) return undefined
  for (const [type, entry] of triggerSpots(start)) {
    if (type === 'http') checkHttpTrigger(entry)
    if (type === 'redis') checkRedisTrigger(entry)
    for (const spec of specsOf(entry))
      if (typeof spec.value === 'string') checkReference(spec, manifest)
  }
  for (const [id, spot] of componentSpots(start)) {
    const component = readComponent(silent(spot))
    if (component !== undefined) checkDependencies(spot, component, id)
    for (const dependency of dependencySpots(spot))
      checkComponentDependency(dependency, id, manifest)
  }
  for (const [type, entry] of triggerSpots(start)) {
    const id = childSpot(entry, 'id')?.value
    const name = typeof id === 'string' ? id : `the ${type} trigger`
    for (const dependency of membersOf(childSpot(entry, 'dependencies')))
      checkComponentDependency(dependency, name, manifest)
  }
  return manifest
}

function* triggerSpots(root: Spot): Generator<readonly [string, Spot]> {
  const trigger = childSpot(root, 'trigger')
  for (const [type, list] of trigger === undefined ? [] : childSpots(trigger)) {
    for (const [, entry] of Array.isArray(list.value) ? childSpots(list) : []) {
      if (isTable(entry.value)) yield [type, entry]
    }
  }
}

/** All components of a manifest of version 2: by name, and in place with their trigger's type. */
export function* componentSpots(root: Spot): Generator<readonly [string, Spot]> {
  const declared = childSpot(root, 'component')
  if (declared !== undefined) yield* childSpots(declared)
  for (const [type, entry] of triggerSpots(root)) {
    for (const spec of specsOf(entry))
      if (isTable(spec.value)) yield [`of the ${type} trigger`, spec]
  }
}

/** All components that a trigger's entry names or has in place. */
function specsOf(entry: Spot): readonly Spot[] {
  const own = childSpot(entry, 'component')
  return [...(own === undefined ? [] : [own]), ...membersOf(childSpot(entry, 'components'))]
}

/** The members of a table, and of arrays in it. */
function membersOf(table: Spot | undefined): readonly Spot[] {
  if (table === undefined) return []
  return [...childSpots(table)].flatMap(([, spot]) =>
    Array.isArray(spot.value) ? [...childSpots(spot)].map(([, inner]) => inner) : [spot],
  )
}

function dependencySpots(component: Spot): readonly Spot[] {
  const profiles = membersOf(childSpot(component, 'profile'))
  return [component, ...profiles].flatMap((spot) => membersOf(childSpot(spot, 'dependencies')))
}

function checkReference(spot: Spot, manifest: AppManifest): void {
  const id = String(spot.value)
  if (kebabProblem(id) !== undefined || Object.hasOwn(manifest.component ?? {}, id)) return
  spot.report.error(
    spot,
    'unknown-component',
    `component ${JSON.stringify(id)} does not exist: add [component.${id}] or name another`,
  )
}

function checkComponentDependency(dependency: Spot, depender: string, manifest: AppManifest): void {
  const spot = isTable(dependency.value) ? childSpot(dependency, 'component') : undefined
  if (
    spot === undefined ||
    typeof spot.value !== 'string' ||
    kebabProblem(spot.value) !== undefined
  )
    return
  const problem = dependencyIdProblem(spot.value, depender, manifest)
  if (problem !== undefined) spot.report.error(spot, 'invalid-dependency', problem)
}
