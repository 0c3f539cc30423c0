import type { FetchHandler } from '../../src/types.ts'
import { createTokenAuthPersona } from './token-auth.ts'
import { refuse, withoutLogin } from './answers.ts'

export interface BaseChallengeOptions {
  readonly username: string
  readonly password: string
  /** What a request without a valid login gets below `/v2/`, always without a challenge. */
  readonly status: 401 | 403 | 404
  /** What `/v2/` asks for. Default Basic. */
  readonly scheme?: 'basic' | 'bearer'
}

/**
 * A registry that says at `/v2/` only how to log in: GitHub's of 2019 answered 404 elsewhere
 * (containerd #3291), keppel refused strangers without a challenge (sapcc/keppel #522).
 */
export function createBaseChallengePersona(
  registry: FetchHandler,
  { status, scheme = 'basic', ...login }: BaseChallengeOptions,
): FetchHandler & { readonly requests: string[] } {
  const requests: string[] = []
  const tokens = createTokenAuthPersona(registry, { ...login, anonymous: false })
  const isBasic = (request: Request): boolean =>
    request.headers.get('authorization') === `Basic ${btoa(`${login.username}:${login.password}`)}`
  return {
    requests,
    async fetch(request) {
      const { origin, pathname } = new URL(request.url)
      requests.push(`${request.method} ${pathname}`)
      if (scheme === 'basic' && isBasic(request)) return registry.fetch(withoutLogin(request))
      const answer = scheme === 'bearer' ? await tokens.fetch(request) : undefined
      if (answer !== undefined && answer.status !== 401) return answer
      if (pathname === '/token') return answer ?? refuse(404, 'UNSUPPORTED', 'no tokens')
      if (pathname !== '/v2/') return refuse(status, 'DENIED', 'no')
      const challenge =
        scheme === 'basic'
          ? 'Basic realm="registry"'
          : `Bearer realm="${origin}/token",service="registry.test"`
      return refuse(401, 'UNAUTHORIZED', 'log in', { 'www-authenticate': challenge })
    },
  }
}
