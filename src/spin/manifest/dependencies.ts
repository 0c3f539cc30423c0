import { parseVersion, type Version } from '../../bindle/semver.ts'
import type { AppManifest, ComponentDependency, ComponentTable } from './app-manifest.ts'
import { kebabProblem, packageProblem } from './ids.ts'
import { childSpot, childSpots, type Spot } from './spot.ts'

/** An import that a dependency fills: of a package, one of its interfaces, or by a plain name. */
type DependencyName = { readonly plain: string } | PackageName

interface PackageName {
  readonly package: string
  readonly interface?: string
  readonly version?: Version
}

/** Reads `ns:pkg/iface@1.0.0`, parts of it, or a plain kebab name. */
function parseDependencyName(text: string): DependencyName | { readonly problem: string } {
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

/** What holds between the dependencies of one component. `spot` is its table. */
export function checkDependencies(spot: Spot, component: ComponentTable, id: string): void {
  const table = childSpot(spot, 'dependencies')
  if (table === undefined || component.dependencies === undefined) return
  const packages = createRivals()
  for (const [text, child] of childSpots(table)) {
    const dependency = Object.hasOwn(component.dependencies, text)
      ? component.dependencies[text]
      : undefined
    const name = parseDependencyName(text)
    if (dependency === undefined || 'problem' in name) continue
    const problem = dependencyProblem(text, name, dependency)
    if (problem !== undefined) child.report.error(child, 'invalid-dependency', problem, 'key')
    if (!('package' in name)) continue
    const rival = packages.add(text, name)
    if (rival !== undefined) {
      child.report.error(
        child,
        'dependency-conflict',
        `${JSON.stringify(text)} dependency conflicts with ${JSON.stringify(rival)}`,
        'key',
      )
    }
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

/** What a name without a version, or without an interface, says of it: all of them. */
const UNSAID = ''
/** Whatever a name says of it. */
const ANY = '*'

/**
 * Finds for each name the first before it that it conflicts with: one of the same package, unless
 * versions or interfaces tell the two apart. By keys, not by comparing each with each.
 */
function createRivals(): { add: (text: string, name: PackageName) => string | undefined } {
  const first = new Map<string, { readonly text: string; readonly order: number }>()
  let count = 0
  return {
    add(text, { package: name, interface: part = UNSAID, version }) {
      const group = version === undefined ? UNSAID : compatible(version)
      const keyOf = (groups: string, parts: string): string => `${name} ${groups} ${parts}`
      const meets = (said: string): string[] => (said === UNSAID ? [ANY] : [said, UNSAID])
      const rivals = meets(group).flatMap((groups) =>
        meets(part).flatMap((parts) => first.get(keyOf(groups, parts)) ?? []),
      )
      const own = { text, order: count++ }
      for (const groups of [group, ANY])
        for (const parts of [part, ANY]) {
          const key = keyOf(groups, parts)
          if (!first.has(key)) first.set(key, own)
        }
      return rivals.sort((a, b) => a.order - b.order)[0]?.text
    },
  }
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
  const resources = resourcesOf(component)
  if (resources.length === 0) return undefined
  return `Dependencies may not have their own resources or permissions. Component ${id} cannot be used as a dependency of ${depender} because it specifies: ${resources.join(', ')}`
}

/** Of each component once: thousands may depend on the same one. */
const resources = new WeakMap<ComponentTable, readonly string[]>()

function resourcesOf(component: ComponentTable): readonly string[] {
  const known = resources.get(component)
  if (known !== undefined) return known
  const found = OWN_RESOURCES.filter((key) => Object.keys(component[key] ?? {}).length > 0)
  resources.set(component, found)
  return found
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
