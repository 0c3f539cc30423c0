import type { VariableTable } from './app-manifest.ts'
import { convertAllowedHttpHosts } from './allowed-http-hosts.ts'
import { isUnsetHost, readAllowedHost } from './outbound-hosts.ts'
import { ownValue } from '../../bytes/json.ts'
import { childSpot, childSpots, type Spot } from './spot.ts'
import { parseTemplate, resolveTemplate } from './template.ts'

/** A host's name has 253 characters at most; around it stand a scheme and a port. */
const MAX_HOST_LENGTH = 4096

type Variables = Readonly<Record<string, VariableTable>> | undefined

/** Looks at the hosts that a component lists, in either version of the manifest. */
export function checkHosts(component: Spot, variables: Variables): void {
  const outbound = childSpot(component, 'allowed_outbound_hosts')
  const entries = outbound === undefined ? [] : [...childSpots(outbound)]
  for (const [, entry] of entries) {
    if (typeof entry.value !== 'string') continue
    const problem = hostProblem(entry.value, entries.length, variables)
    if (problem !== undefined)
      entry.report.error(
        entry,
        'invalid-host',
        `\`allowed_outbound_hosts\` is malformed: ${problem}`,
      )
  }
  checkHttpHosts(component)
}

function hostProblem(text: string, count: number, variables: Variables): string | undefined {
  if (count === 1 && text === 'insecure:allow-all') {
    return "'insecure:allow-all' is not allowed - use '*://*:*' instead if you really want to allow all outbound traffic"
  }
  const template = parseTemplate(text)
  if ('problem' in template) return template.problem
  if (template.parts.every((part) => 'literal' in part)) return problemOf(text)
  // Without a default for each variable, only a host that has their values can tell.
  const resolved = resolveTemplate(
    template.parts,
    (name) => ownValue(variables, name)?.default,
    MAX_HOST_LENGTH,
  )
  if (resolved === undefined || isUnsetHost(resolved)) return undefined
  const problem = problemOf(resolved)
  if (problem === undefined) return undefined
  return `using default variable value(s) with template ${JSON.stringify(text)} results in invalid config ${JSON.stringify(resolved)}: ${problem}`
}

function problemOf(text: string): string | undefined {
  const host = readAllowedHost(text)
  return 'problem' in host ? host.problem : undefined
}

function checkHttpHosts(component: Spot): void {
  const list = childSpot(component, 'allowed_http_hosts')
  if (
    list === undefined ||
    !Array.isArray(list.value) ||
    !list.value.every((entry) => typeof entry === 'string')
  )
    return
  const { converted, problems } = convertAllowedHttpHosts(list.value, { allowDatabases: false })
  for (const [index, problem] of problems) {
    const entry = childSpot(list, String(index))
    if (entry !== undefined) entry.report.error(entry, 'invalid-http-host', problem)
  }
  if (problems.size === 0 && converted.length > 0) {
    list.report.warn(
      list,
      'deprecated-http-hosts',
      `\`allowed_http_hosts\` is deprecated: replace it with \`allowed_outbound_hosts = ${JSON.stringify(converted)}\``,
      'key',
    )
  }
}

/** Warns of templates that name a variable which the application doesn't have. */
export function checkVariables(
  component: Spot,
  key: 'variables' | 'config',
  variables: Variables,
): void {
  const table = childSpot(component, key)
  for (const [, spot] of table === undefined ? [] : childSpots(table)) {
    const template = typeof spot.value === 'string' ? parseTemplate(spot.value) : { parts: [] }
    for (const part of 'parts' in template ? template.parts : []) {
      if ('variable' in part && ownValue(variables, part.variable) === undefined) {
        spot.report.warn(
          spot,
          'unknown-variable',
          `no variable ${JSON.stringify(part.variable)} is declared in [variables]`,
        )
      }
    }
  }
}
