import { isSpindleError } from '../../errors.ts'
import { formatScope as formatRepositoryScope } from '../../http/scope.ts'
import type { AuthScope } from '../../types.ts'

/**
 * Who may do what with a server of this library.
 *
 * A hook looks at a request and the one thing it wants to do: `authorizeBasic` and
 * `createTokenService` make such hooks, an operator's own function may be one.
 */

/** What a client is told so that it can come back with proof of who it is. @see RFC 9110, 11.6.1 */
export interface Challenge {
  readonly scheme: 'Basic' | 'Bearer'
  /** `realm`, and for Bearer `service`, `scope`, `error`. */
  readonly parameters: Readonly<Record<string, string>>
}

/** `true` lets it pass, `false` answers 403, a challenge 401. */
export type Authorization = boolean | { readonly challenge: Challenge }

/**
 * Asked before every request but preflights.
 *
 * An empty `repository` stands for the server itself: no actions for the ping at `/v2/`, `pull` for
 * the list of all repositories. What rejects with `ERR_LIMIT_EXCEEDED`, as too many passwords wait to
 * be checked, is answered with 429.
 */
export type Authorize = (
  request: Request,
  scope: AuthScope,
) => Authorization | Promise<Authorization>

/** Whether a hook can't decide now, and the client may try again. */
export function isBusy(error: unknown): boolean {
  return isSpindleError(error) && error.code === 'ERR_LIMIT_EXCEEDED'
}

/** One header value; what could end a quoted string is left out. */
export function formatChallenge({ scheme, parameters }: Challenge): string {
  const list = Object.entries(parameters).map(
    ([name, value]) => `${name}="${value.replace(/[^\x20-\x7e]|["\\]/g, '')}"`,
  )
  return `${scheme} ${list.join(',')}`
}

/** As Bearer challenges and tokens spell it; also for the server itself, which clients don't ask for. */
export function formatScope({ registry, repository, actions }: AuthScope): string {
  if (repository === '') return actions.length === 0 ? '' : 'registry:catalog:*'
  return formatRepositoryScope({ registry, repository, actions })
}

/** One challenge for two scopes, so that a client that mounts needs one token, not two. */
export function mergeChallenges(first: Challenge, second: Challenge): Challenge {
  const scopes = [first.parameters['scope'], second.parameters['scope']].filter(
    (scope) => scope !== undefined && scope !== '',
  )
  if (scopes.length < 2) return first
  return { scheme: first.scheme, parameters: { ...first.parameters, scope: scopes.join(' ') } }
}
