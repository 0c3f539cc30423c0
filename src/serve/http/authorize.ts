import { isSpindleError } from '../../errors.ts'
import { formatScope as formatRepositoryScope } from '../../http/scope.ts'
import type { AuthScope } from '../../types.ts'

/**
 * Authorization hooks of the servers.
 *
 * `createBasicAuthorizer` and `createTokenService` create such hooks.
 */

/** Parameters of a `WWW-Authenticate` header. @see RFC 9110, 11.6.1 */
export interface Challenge {
  /** Authentication scheme. */
  readonly scheme: 'Basic' | 'Bearer'
  /** `realm`, and for Bearer `service`, `scope`, `error`. */
  readonly parameters: Readonly<Record<string, string>>
}

/** `true` accepts the request, `false` answers 403, a challenge 401. */
export type Authorization =
  | boolean
  | {
      /** Sent as `WWW-Authenticate`. */
      readonly challenge: Challenge
    }

/**
 * Decides about a request; called for every request except preflights.
 *
 * With an empty `repository` the scope is the server itself: no actions for the ping at `/v2/`, `pull` for
 * the list of all repositories. If it rejects with `ERR_LIMIT_EXCEEDED`, such as for too many concurrent
 * password checks, the answer is 429.
 */
export type Authorize = (
  request: Request,
  scope: AuthScope,
) => Authorization | Promise<Authorization>

/** Whether a hook is overloaded, so that the client can retry. */
export function isBusy(error: unknown): boolean {
  return isSpindleError(error) && error.code === 'ERR_LIMIT_EXCEEDED'
}

/**
 * Formats a challenge as the value of `WWW-Authenticate`. Removes quotes, backslashes and non-ASCII
 * characters from parameter values.
 *
 * Exported from `spindle/serve`.
 *
 * @example Ask for a login in a handler of your own
 * ```ts
 * const header = formatChallenge({ scheme: 'Basic', parameters: { realm: 'registry' } })
 * return new Response('', { status: 401, headers: { 'WWW-Authenticate': header } })
 * ```
 */
export function formatChallenge({ scheme, parameters }: Challenge): string {
  const list = Object.entries(parameters).map(
    ([name, value]) => `${name}="${value.replace(/[^\x20-\x7e]|["\\]/g, '')}"`,
  )
  return `${scheme} ${list.join(',')}`
}

/**
 * Formats a scope as in Bearer challenges and tokens, such as `repository:team/app:pull,push`. An empty
 * repository gives `registry:catalog:*`, or an empty string without actions.
 *
 * Exported from `spindle/serve`.
 *
 * @example Log the scope of every request
 * ```ts
 * createRegistryHandler({ authorize: (_, scope) => (console.log(formatScope(scope)), true) })
 * ```
 */
export function formatScope({ registry, repository, actions }: AuthScope): string {
  if (repository === '') return actions.length === 0 ? '' : 'registry:catalog:*'
  return formatRepositoryScope({ registry, repository, actions })
}

/** Combines the scopes of two challenges, so that a client that mounts a blob needs only one token. */
export function mergeChallenges(first: Challenge, second: Challenge): Challenge {
  const scopes = [first.parameters['scope'], second.parameters['scope']].filter(
    (scope) => scope !== undefined && scope !== '',
  )
  if (scopes.length < 2) return first
  return { scheme: first.scheme, parameters: { ...first.parameters, scope: scopes.join(' ') } }
}
