import { isRepositoryName } from '../../oci/reference.ts'
import type { AuthScope } from '../../types.ts'
import { Refusal } from '../http/refusal.ts'
import type { RelayRegistry } from './registries.ts'
import { actionsOf, type RelayRoute } from './route.ts'

/** The scopes that a request needs: its own first, then those of the repositories it mounts from. */
export function scopesOf(
  registry: RelayRegistry,
  repository: string,
  { kind }: RelayRoute,
  method: string,
  url: URL,
): AuthScope[] {
  const own = scopeOf(registry, repository, actionsOf(kind, method))
  const source = kind === 'uploads' ? url.searchParams.getAll('from') : []
  // Rules cannot judge an invalid name, which a registry could interpret as "from anywhere".
  if (!source.every(isRepositoryName))
    throw new Refusal(400, {
      code: 'NAME_INVALID',
      message: '"from" is not a valid repository name',
    })
  return [own, ...source.map((from) => scopeOf(registry, from, ['pull']))]
}

export function scopeOf(
  { name }: RelayRegistry,
  repository: string,
  actions: AuthScope['actions'],
): AuthScope {
  return { registry: name, repository, actions }
}
