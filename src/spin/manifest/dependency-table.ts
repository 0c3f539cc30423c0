import { parseRange } from '../../bindle/semver.ts'
import type { ComponentDependency, InheritableConfiguration } from './app-manifest.ts'
import { kebabProblem, packageProblem } from './ids.ts'
import {
  checked,
  listOf,
  readBoolean,
  type Reader,
  readString,
  tableOf,
  unknownKey,
  wrongType,
} from './readers.ts'
import { readDigest, readUrl } from './sources.ts'
import { childSpot, isTable, type Spot } from './spot.ts'

type Form<K extends string> = Extract<ComponentDependency, { readonly [key in K]: unknown }>
type VersionForm = Form<'version'>
type PathForm = Form<'path'>
type UrlForm = Form<'url'>
type ComponentForm = Form<'component'>

const INHERITABLE: readonly InheritableConfiguration[] = [
  'ai_models',
  'allowed_outbound_hosts',
  'environment',
  'files',
  'key_value_stores',
  'sqlite_databases',
  'variables',
]

const readInherit: Reader<boolean | readonly InheritableConfiguration[]> = (spot) => {
  if (Array.isArray(spot.value)) {
    return listOf(
      checked('invalid-inherit', (key) => {
        if (INHERITABLE.some((known) => known === key)) return undefined
        return unknownKey(key, INHERITABLE)
      }),
    )(spot) as readonly InheritableConfiguration[] | undefined
  }
  return typeof spot.value === 'boolean'
    ? readBoolean(spot)
    : wrongType(spot, 'true, false or a list of configuration names')
}

const readRange = checked('invalid-version', (text) =>
  parseRange(text) === undefined
    ? `${JSON.stringify(text)} is not a semantic version requirement such as ">=1.2"`
    : undefined,
)

const readPackage = checked('invalid-package', packageProblem)

const readId = checked('invalid-id', kebabProblem)

type Forms = ReadonlyMap<string, Reader<ComponentDependency>>

const INHERIT = { inherit_configuration: readInherit }
const EXPORT = { export: readString }
const PACKAGE = { version: readRange, registry: readString, package: readPackage }
const PATH = { path: readString }
const DOWNLOAD = { url: readUrl, digest: readDigest }
const COMPONENT = { component: readId }

/** By the key that only this form has, in the order in which Spin tries them. */
const FORMS: Forms = new Map<string, Reader<ComponentDependency>>([
  ['version', tableOf<VersionForm>({ ...PACKAGE, ...EXPORT, ...INHERIT })],
  ['path', tableOf<PathForm>({ ...PATH, ...EXPORT, ...INHERIT })],
  ['url', tableOf<UrlForm>({ ...DOWNLOAD, ...EXPORT, ...INHERIT }, ['digest'])],
  ['component', tableOf<ComponentForm>({ ...COMPONENT, ...EXPORT, ...INHERIT })],
])

/** What is put before a triggered component takes all that it exports, so names no export. */
const TRIGGER_FORMS: Forms = new Map<string, Reader<ComponentDependency>>([
  ['version', tableOf<Omit<VersionForm, 'export'>>({ ...PACKAGE, ...INHERIT }, ['package'])],
  ['path', tableOf<Omit<PathForm, 'export'>>({ ...PATH, ...INHERIT })],
  ['url', tableOf<Omit<UrlForm, 'export'>>({ ...DOWNLOAD, ...INHERIT }, ['digest'])],
  ['component', tableOf<Omit<ComponentForm, 'export'>>({ ...COMPONENT, ...INHERIT })],
])

export const readDependency: Reader<ComponentDependency> = (spot) =>
  typeof spot.value === 'string'
    ? readRange(spot)
    : readForm(spot, FORMS, 'a version, { version, package }')

export const readTriggerDependency: Reader<ComponentDependency> = (spot) =>
  readForm(spot, TRIGGER_FORMS, '{ version, package }')

function readForm(spot: Spot, forms: Forms, first: string): ComponentDependency | undefined {
  for (const [key, read] of isTable(spot.value) ? forms : []) {
    if (childSpot(spot, key) !== undefined) return read(spot)
  }
  spot.report.error(
    spot,
    'invalid-dependency',
    `expected ${first}, { path }, { url, digest } or { component }`,
  )
  return undefined
}
