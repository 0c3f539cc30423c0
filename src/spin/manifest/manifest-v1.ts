import type {
  AppManifest,
  ComponentBuild,
  ComponentFiles,
  ComponentSource,
  ComponentTable,
  ConfigTable,
  TriggerTable,
  VariableTable,
} from './app-manifest.ts'
import { convertAllowedHttpHosts } from './allowed-http-hosts.ts'
import {
  readBuild,
  readEnvironment,
  readLabels,
  readStrings,
  readTemplates,
  readVariables,
} from './component-table.ts'
import { checkHttpTrigger } from './http-trigger.ts'
import { kebabProblem, toKebabId } from './ids.ts'
import {
  checked,
  listOf,
  readConfigTable,
  type Reader,
  readString,
  requireKeys,
  tableOf,
} from './readers.ts'
import { toRecord } from '../../bytes/json.ts'
import { checkRedisTrigger } from './redis-trigger.ts'
import { readFilesEntry, readSource } from './sources.ts'
import { childSpot, childSpots, type Spot } from './spot.ts'

/** `[[component]]` of version 1. */
interface ComponentV1 {
  readonly id: string
  readonly source: ComponentSource
  readonly trigger: ConfigTable
  readonly description?: string
  readonly config?: Readonly<Record<string, string>>
  readonly environment?: Readonly<Record<string, string>>
  readonly files?: readonly ComponentFiles[]
  readonly exclude_files?: readonly string[]
  readonly allowed_http_hosts?: readonly string[]
  readonly allowed_outbound_hosts?: readonly string[]
  readonly key_value_stores?: readonly string[]
  readonly sqlite_databases?: readonly string[]
  readonly ai_models?: readonly string[]
  readonly build?: ComponentBuild
}

interface ManifestV1 {
  readonly spin_manifest_version?: 1
  readonly spin_version?: 1
  readonly name: string
  readonly version?: string
  readonly description?: string
  readonly authors?: readonly string[]
  readonly trigger: ConfigTable
  readonly variables?: Readonly<Record<string, VariableTable>>
  readonly component?: readonly ComponentV1[]
}

const readComponent: Reader<ComponentV1> = tableOf<ComponentV1>(
  {
    id: checked('invalid-id', (id) => {
      const problem = kebabProblem(toKebabId(id))
      return problem === undefined
        ? undefined
        : `invalid ID ${JSON.stringify(toKebabId(id))}: ${problem}`
    }),
    source: readSource,
    trigger: readConfigTable,
    description: readString,
    config: readTemplates,
    environment: readEnvironment,
    files: listOf(readFilesEntry),
    exclude_files: readStrings,
    allowed_http_hosts: readStrings,
    allowed_outbound_hosts: readStrings,
    key_value_stores: readLabels,
    sqlite_databases: readLabels,
    ai_models: readStrings,
    build: readBuild,
  },
  ['id', 'source', 'trigger'],
)

const readAppTrigger: Reader<ConfigTable> = (spot) => {
  const table = readConfigTable(spot)
  if (table === undefined) return undefined
  requireKeys(spot, ['type'])
  const type = childSpot(spot, 'type')
  return type === undefined || readString(type) === undefined ? undefined : table
}

const readManifest: Reader<ManifestV1> = tableOf<ManifestV1>(
  {
    spin_manifest_version: () => 1,
    spin_version: () => 1,
    name: readString,
    version: readString,
    description: readString,
    authors: readStrings,
    trigger: readAppTrigger,
    variables: readVariables,
    component: listOf(readComponent),
  },
  ['name', 'trigger'],
)

/**
 * A manifest of version 1 in the form of version 2, as Spin converts it.
 * What is wrong with it is in the report of `root`, as for a host in that of `start`.
 */
export function readManifestV1(root: Spot, start: Spot): AppManifest | undefined {
  const manifest = readManifest(root)
  if (manifest === undefined || manifest.trigger === undefined) return undefined
  const { type, ...global } = manifest.trigger
  const triggerType = String(type)
  for (const [, spot] of componentSpotsV1(start)) {
    const trigger = childSpot(spot, 'trigger')
    if (trigger !== undefined && triggerType === 'http')
      checkHttpTrigger(trigger, { isInComponent: true })
    if (trigger !== undefined && triggerType === 'redis')
      checkRedisTrigger(trigger, { isInComponent: true })
  }
  const components = (manifest.component ?? []).filter(
    ({ id, trigger }) => id !== undefined && trigger !== undefined,
  )
  return {
    spin_manifest_version: 2,
    application: {
      name: manifest.name,
      ...pick(manifest, ['version', 'description', 'authors']),
      trigger: toRecord([[triggerType, toRecord(Object.entries(global))]]),
    },
    ...pick(manifest, ['variables']),
    trigger: toRecord(
      components.length === 0 ? [] : [[triggerType, components.map(convertTrigger)]],
    ),
    // Of two with one id, the later one stands at the place of the first.
    ...(components.length === 0
      ? {}
      : {
          component: toRecord(
            components.map((component) => [toKebabId(component.id), convertComponent(component)]),
          ),
        }),
  }
}

/** All components of a manifest of version 1, with their ids. */
export function* componentSpotsV1(root: Spot): Generator<readonly [string, Spot]> {
  const list = childSpot(root, 'component')
  for (const [, spot] of list === undefined || !Array.isArray(list.value) ? [] : childSpots(list)) {
    yield [String(childSpot(spot, 'id')?.value), spot]
  }
}

function convertTrigger(component: ComponentV1): TriggerTable {
  const id = toKebabId(component.id)
  return { id: `trigger-${id}`, component: id, config: component.trigger }
}

function convertComponent(component: ComponentV1): ComponentTable {
  const { allowed_outbound_hosts: outbound, allowed_http_hosts: http = [] } = component
  const { converted } = convertAllowedHttpHosts(http, { allowDatabases: outbound === undefined })
  const hosts = [...(outbound ?? []), ...converted]
  return {
    source: component.source,
    ...pick(component, ['description']),
    ...(component.config === undefined ? {} : { variables: component.config }),
    ...pick(component, ['environment', 'files', 'exclude_files']),
    ...(hosts.length === 0 ? {} : { allowed_outbound_hosts: hosts }),
    ...pick(component, ['key_value_stores', 'sqlite_databases', 'ai_models', 'build']),
  }
}

/** Only the keys that are there. */
function pick<T extends object, K extends keyof T & string>(
  table: T,
  keys: readonly K[],
): Pick<T, K> {
  return Object.fromEntries(
    keys.filter((key) => table[key] !== undefined).map((key) => [key, table[key]]),
  ) as Pick<T, K>
}
