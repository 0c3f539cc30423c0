import type { FetchHandler } from '../../src/types.ts'
import { refuse, withHeaders } from './answers.ts'
import { createTokenAuthPersona, type TokenAuthPersona } from './token-auth.ts'

/**
 * Docker Hub: its API at registry-1.docker.io, tokens from auth.docker.io, a limit on pulls that
 * counts each GET of a manifest and no HEAD.
 * @see https://docs.docker.com/docker-hub/usage/pulls/
 */
export function createDockerHubPersona(
  registry: FetchHandler,
  options: { readonly username: string; readonly password: string; readonly pulls: number },
): TokenAuthPersona {
  let left = options.pulls
  const limited: FetchHandler = {
    async fetch(request) {
      const isPull =
        request.method === 'GET' && new URL(request.url).pathname.includes('/manifests/')
      if (!isPull) return registry.fetch(request)
      const limits = {
        'ratelimit-limit': `${options.pulls};w=21600`,
        'ratelimit-remaining': `${Math.max(0, left - 1)};w=21600`,
      }
      if (left <= 0)
        return refuse(
          429,
          'TOOMANYREQUESTS',
          'You have reached your unauthenticated pull rate limit.',
          { ...limits, 'retry-after': '21600' },
        )
      left -= 1
      return withHeaders(await registry.fetch(request), limits)
    },
  }
  const tokens = createTokenAuthPersona(limited, {
    ...options,
    realm: 'https://auth.docker.io/token',
  })
  return {
    ...tokens,
    async fetch(request) {
      const { host } = new URL(request.url)
      if (host !== 'registry-1.docker.io' && host !== 'auth.docker.io')
        throw new TypeError('fetch failed')
      return tokens.fetch(request)
    },
  }
}
