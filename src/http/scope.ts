import type { AuthScope } from '../types.ts'

/** A scope as token services write it: `repository:name:pull,push`. */
export function formatScope({ repository, actions }: AuthScope): string {
  return `repository:${repository}:${[...actions].sort().join(',')}`
}

/** The merged scopes of repositories. A login names no repository and has no scope. */
export function namedScopes(scopes: readonly AuthScope[]): string[] {
  return mergeScopes(scopes.filter(({ repository }) => repository !== '').map(formatScope))
}

/**
 * One scope per resource with all its actions, sorted, in the original order of resources: some
 * services read only the first.
 *
 * Names can contain colons, so the first and the last colon separate the three fields.
 * @see https://distribution.github.io/distribution/spec/auth/scope/
 */
export function mergeScopes(scopes: Iterable<string>): string[] {
  const actions = new Map<string, Set<string>>()
  const opaque = new Set<string>()
  for (const scope of scopes) {
    const first = scope.indexOf(':')
    const last = scope.lastIndexOf(':')
    if (first < 0 || first === last) {
      if (scope !== '') opaque.add(scope)
      continue
    }
    const resource = scope.slice(0, last)
    const known = actions.get(resource) ?? new Set()
    for (const action of scope.slice(last + 1).split(',')) if (action !== '') known.add(action)
    actions.set(resource, known)
  }
  const merged = [...actions].map(([resource, set]) => `${resource}:${[...set].sort().join(',')}`)
  return [...merged, ...opaque]
}

/** Merged scopes without `pull` if they contain `push`; `undefined` if that changes none. */
export function pushOnly(scopes: readonly string[]): string[] | undefined {
  const fewer = scopes.map((scope) => {
    const last = scope.lastIndexOf(':') + 1
    const actions = scope.slice(last).split(',')
    return actions.includes('push')
      ? scope.slice(0, last) + actions.filter((action) => action !== 'pull').join(',')
      : scope
  })
  return fewer.some((scope, at) => scope !== scopes[at]) ? fewer : undefined
}

/** Whether a token for `granted` covers `wanted`. Both are merged. */
export function coversScopes(granted: readonly string[], wanted: readonly string[]): boolean {
  return wanted.every((scope) => {
    if (granted.includes(scope)) return true
    const last = scope.lastIndexOf(':')
    const resource = scope.slice(0, last + 1)
    const held = granted.find(
      (other) => other.startsWith(resource) && other.lastIndexOf(':') === last,
    )
    const actions = new Set(held?.slice(last + 1).split(','))
    return (
      last > 0 &&
      scope
        .slice(last + 1)
        .split(',')
        .every((action) => actions.has(action))
    )
  })
}
