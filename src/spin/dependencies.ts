import { parseRange, parseVersion, type Version } from '../bindle/semver.ts'
import type {
  AppManifest,
  ComponentDependency,
  ComponentTable,
  InheritableConfiguration,
} from './app-manifest.ts'
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
import { childSpot, childSpots, isTable, type Spot } from './spot.ts'

/** An import that a dependency fills: of a package, one of its interfaces, or by a plain name. */
type DependencyName = { readonly plain: string } | PackageName

interface PackageName {
  readonly package: string
  readonly interface?: string
  readonly version?: Version
}

type Form<K extends string> = Extract<ComponentDependency, { readonly [key in K]: unknown }>
type VersionForm = Form<'version'>
type PathForm = Form<'path'>
type UrlForm = Form<'url'>
type ComponentForm = Form<'component'>

/** Reads `ns:pkg/iface@1.0.0`, parts of it, or a plain kebab name. */
export function parseDependencyName(text: string): DependencyName | { readonly problem: string } {
  if (!/[:/]/.test(text)) {
    const problem = kebabProblem(text)
    return problem === undefined ? { plain: text } : { problem }
  }
  const at = text.indexOf('@')
  const name = at === -1 ? text : text.slice(0, at)
  const version = at === -1 ? undefined : parseVersion(text.slice(at + 1))
  if (at !== -1 && version === undefined) {
    return {
      problem: `${JSON.stringify(text.slice(at + 1))} is not a semantic version such as 1.0.0`,
    }
  }
  const slash = name.indexOf('/')
  const packageName = slash === -1 ? name : name.slice(0, slash)
  const problem =
    packageProblem(packageName) ?? (slash === -1 ? undefined : kebabProblem(name.slice(slash + 1)))
  if (problem !== undefined) return { problem }
  return {
    package: packageName,
    ...(slash === -1 ? {} : { interface: name.slice(slash + 1) }),
    ...(version === undefined ? {} : { version }),
  }
}

export function dependencyNameProblem(text: string): string | undefined {
  const name = parseDependencyName(text)
  return 'problem' in name ? name.problem : undefined
}

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

/** By the key that only this form has, in the order in which Spin tries them. */
const FORMS: ReadonlyMap<string, Reader<ComponentDependency>> = new Map<
  string,
  Reader<ComponentDependency>
>([
  [
    'version',
    tableOf<VersionForm>({
      version: readRange,
      registry: readString,
      package: readPackage,
      export: readString,
      inherit_configuration: readInherit,
    }),
  ],
  [
    'path',
    tableOf<PathForm>({ path: readString, export: readString, inherit_configuration: readInherit }),
  ],
  [
    'url',
    tableOf<UrlForm>(
      { url: readUrl, digest: readDigest, export: readString, inherit_configuration: readInherit },
      ['digest'],
    ),
  ],
  [
    'component',
    tableOf<ComponentForm>({
      component: readId,
      export: readString,
      inherit_configuration: readInherit,
    }),
  ],
])

/** What is put before a triggered component takes all that it exports, so names no export. */
const TRIGGER_FORMS: ReadonlyMap<string, Reader<ComponentDependency>> = new Map<
  string,
  Reader<ComponentDependency>
>([
  [
    'version',
    tableOf<Omit<VersionForm, 'export'>>(
      {
        version: readRange,
        registry: readString,
        package: readPackage,
        inherit_configuration: readInherit,
      },
      ['package'],
    ),
  ],
  [
    'path',
    tableOf<Omit<PathForm, 'export'>>({ path: readString, inherit_configuration: readInherit }),
  ],
  [
    'url',
    tableOf<Omit<UrlForm, 'export'>>(
      { url: readUrl, digest: readDigest, inherit_configuration: readInherit },
      ['digest'],
    ),
  ],
  [
    'component',
    tableOf<Omit<ComponentForm, 'export'>>({
      component: readId,
      inherit_configuration: readInherit,
    }),
  ],
])

export const readDependency: Reader<ComponentDependency> = (spot) =>
  typeof spot.value === 'string'
    ? readRange(spot)
    : readForm(spot, FORMS, 'a version, { version, package }')

export const readTriggerDependency: Reader<ComponentDependency> = (spot) =>
  readForm(spot, TRIGGER_FORMS, '{ version, package }')

function readForm(
  spot: Spot,
  forms: ReadonlyMap<string, Reader<ComponentDependency>>,
  first: string,
): ComponentDependency | undefined {
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

/** What holds between the dependencies of one component. `spot` is its table. */
export function checkDependencies(spot: Spot, component: ComponentTable, id: string): void {
  const table = childSpot(spot, 'dependencies')
  if (table === undefined || component.dependencies === undefined) return
  const packages: { readonly text: string; readonly name: PackageName }[] = []
  for (const [text, child] of childSpots(table)) {
    const dependency = Object.hasOwn(component.dependencies, text)
      ? component.dependencies[text]
      : undefined
    const name = parseDependencyName(text)
    if (dependency === undefined || 'problem' in name) continue
    const problem = dependencyProblem(text, name, dependency)
    if (problem !== undefined) child.report.error(child, 'invalid-dependency', problem, 'key')
    if (!('package' in name)) continue
    const rival = packages.find((other) => conflict(other.name, name))
    if (rival !== undefined) {
      child.report.error(
        child,
        'dependency-conflict',
        `${JSON.stringify(text)} dependency conflicts with ${JSON.stringify(rival.text)}`,
        'key',
      )
    }
    packages.push({ text, name })
  }
  if (inheritsTwice(component)) {
    spot.report.error(
      childSpot(spot, 'dependencies_inherit_configuration') ?? spot,
      'inherit-twice',
      inheritTwiceProblem(id),
      'key',
    )
  }
}

/** Whether a component says for all of its dependencies and for some what they inherit. */
export function inheritsTwice(component: ComponentTable): boolean {
  return (
    component.dependencies_inherit_configuration !== undefined &&
    Object.values(component.dependencies ?? {}).some(
      (dependency) =>
        typeof dependency === 'object' && dependency.inherit_configuration !== undefined,
    )
  )
}

export function inheritTwiceProblem(id: string): string {
  return `Component \`${id}\` specifies both \`dependencies_inherit_configuration\` and per-dependency \`inherit_configuration\`. These are mutually exclusive; use one or the other.`
}

function dependencyProblem(
  text: string,
  name: DependencyName,
  dependency: ComponentDependency,
): string | undefined {
  const isPackageForm = typeof dependency === 'string' || 'version' in dependency
  const packageName =
    typeof dependency === 'object' && 'version' in dependency ? dependency.package : undefined
  if ('plain' in name) {
    return isPackageForm && packageName === undefined
      ? `dependency ${JSON.stringify(name.plain)} must specify a package name`
      : undefined
  }
  const mayNotExport =
    typeof dependency === 'object' && ('version' in dependency || 'path' in dependency)
  if (name.interface === undefined && mayNotExport && dependency.export !== undefined) {
    return `using an export to satisfy the package dependency ${JSON.stringify(text)} is not currently permitted`
  }
  return undefined
}

function conflict(a: PackageName, b: PackageName): boolean {
  if (a.package !== b.package) return false
  if (
    a.version !== undefined &&
    b.version !== undefined &&
    compatible(a.version) !== compatible(b.version)
  )
    return false
  return a.interface === undefined || b.interface === undefined || a.interface === b.interface
}

/** Versions with the same text here can stand in for each other. */
function compatible({ major, minor, patch, pre }: Version): string {
  if (pre !== '') return `${major}.${minor}.${patch}-${pre}`
  if (major > 0n) return `${major}`
  return minor > 0n ? `0.${minor}` : `0.0.${patch}`
}

/** Why a component of the application can't be a dependency: it isn't there, or would silently lose what it has. */
export function dependencyIdProblem(
  id: string,
  depender: string,
  manifest: AppManifest,
): string | undefined {
  const component = Object.hasOwn(manifest.component ?? {}, id)
    ? manifest.component?.[id]
    : undefined
  if (component === undefined) return `dependency ID ${id} does not exist`
  const resources = OWN_RESOURCES.filter((key) => Object.keys(component[key] ?? {}).length > 0)
  if (resources.length === 0) return undefined
  return `Dependencies may not have their own resources or permissions. Component ${id} cannot be used as a dependency of ${depender} because it specifies: ${resources.join(', ')}`
}

const OWN_RESOURCES = [
  'ai_models',
  'allowed_http_hosts',
  'allowed_outbound_hosts',
  'dependencies',
  'environment',
  'files',
  'key_value_stores',
  'sqlite_databases',
  'variables',
] as const
