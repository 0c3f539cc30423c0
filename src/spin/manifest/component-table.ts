import type {
  ComponentBuild,
  ComponentProfile,
  ComponentTable,
  TargetEnvironment,
  VariableTable,
} from './app-manifest.ts'
import { dependencyNameProblem } from './dependencies.ts'
import { readDependency } from './dependency-table.ts'
import { labelProblem, lowerSnakeProblem } from './ids.ts'
import {
  checked,
  listOf,
  mapOf,
  readBoolean,
  type Reader,
  readString,
  readToolTable,
  tableOf,
  wrongType,
} from './readers.ts'
import { readFilesEntry, readSource } from './sources.ts'
import { childSpot, isTable } from './spot.ts'
import { parseTemplate } from './template.ts'

export const readStrings: Reader<readonly string[]> = listOf(readString)
export const readEnvironment: Reader<Readonly<Record<string, string>>> = mapOf(readString)

export const readTemplate: Reader<string> = checked('invalid-template', (text) => {
  const template = parseTemplate(text)
  return 'problem' in template ? template.problem : undefined
})

/** A component's own variables: names to templates over those of the application. */
export const readTemplates: Reader<Readonly<Record<string, string>>> = mapOf(
  readTemplate,
  'invalid-variable',
  lowerSnakeProblem,
)

const readCommand: Reader<string | readonly string[]> = (spot) => {
  if (typeof spot.value === 'string') return spot.value
  return Array.isArray(spot.value)
    ? readStrings(spot)
    : wrongType(spot, 'a command or a list of commands')
}

export const readBuild: Reader<ComponentBuild> = tableOf<ComponentBuild>(
  { command: readCommand, workdir: readString, watch: readStrings },
  ['command'],
)

export const readLabels: Reader<readonly string[]> = listOf(checked('invalid-label', labelProblem))

const readTarget: Reader<TargetEnvironment> = (spot) => {
  if (typeof spot.value === 'string') return spot.value
  if (!isTable(spot.value)) return wrongType(spot, 'a target name, { url } or { path }')
  return childSpot(spot, 'url') === undefined
    ? tableOf<{ path: string }>({ path: readString }, ['path'])(spot)
    : tableOf<{ url: string }>({ url: readString }, ['url'])(spot)
}

export const readTargets: Reader<readonly TargetEnvironment[]> = listOf(readTarget)

const readDependencies = mapOf(readDependency, 'invalid-dependency', dependencyNameProblem)

const readProfile: Reader<ComponentProfile> = tableOf<ComponentProfile>({
  source: readSource,
  environment: readEnvironment,
  dependencies: readDependencies,
  build: tableOf<{ command?: string | readonly string[] }>({ command: readCommand }, ['command']),
})

/** `[component.<id>]` of version 2, or a component in place. */
export const readComponent: Reader<ComponentTable> = tableOf<ComponentTable>(
  {
    source: readSource,
    description: readString,
    variables: readTemplates,
    environment: readEnvironment,
    files: listOf(readFilesEntry),
    exclude_files: readStrings,
    allowed_http_hosts: readStrings,
    allowed_outbound_hosts: readStrings,
    key_value_stores: readLabels,
    sqlite_databases: readLabels,
    ai_models: readStrings,
    targets: readTargets,
    build: readBuild,
    tool: mapOf(readToolTable),
    dependencies_inherit_configuration: readBoolean,
    dependencies: readDependencies,
    profile: mapOf(readProfile),
  },
  ['source'],
)

const readVariableTable = tableOf<VariableTable>({
  description: readString,
  required: readBoolean,
  default: readString,
  secret: readBoolean,
})

const readVariable: Reader<VariableTable> = (spot) => {
  const variable = readVariableTable(spot)
  if (
    variable !== undefined &&
    (variable.required === true) === (childSpot(spot, 'default') !== undefined)
  ) {
    spot.report.error(spot, 'variable-default', 'must be `required` OR have a `default`', 'key')
  }
  return variable
}

/** `[variables]`, the same in both versions. */
export const readVariables: Reader<Readonly<Record<string, VariableTable>>> = mapOf(
  readVariable,
  'invalid-variable',
  lowerSnakeProblem,
)
