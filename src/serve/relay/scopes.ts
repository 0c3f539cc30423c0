import { isRepositoryName } from '../../oci/reference.ts'
import type { AuthScope } from '../../types.ts'
import { Refusal } from '../http/refusal.ts'
import type { RelayRegistry } from './registries.ts'
import { actionsOf, type RelayRoute } from './route.ts'

/** What must be allowed, the request's own first; who mounts reads from another repository. */
export function scopesOf(
  registry: RelayRegistry,
  repository: string,
  { kind }: RelayRoute,
  method: string,
  url: URL,
): AuthScope[] {
  const own = scopeOf(registry, repository, actionsOf(kind, method))
  const source = kind === 'uploads' ? url.searchParams.getAll('from') : []
  // What is no name is judged by nobody's rule, and may mean "from anywhere" to a registry.
  if (!source.every(isRepositoryName))
    throw new Refusal(400, { code: 'NAME_INVALID', message: '"from" is not a repository' })
  return [own, ...source.map((from) => scopeOf(registry, from, ['pull']))]
}

export function scopeOf(
  { name }: RelayRegistry,
  repository: string,
  actions: AuthScope['actions'],
): AuthScope {
  return { registry: name, repository, actions }
}
