import type { FetchHandler } from '../../src/types.ts'
import { createTokenAuthPersona, type TokenAuthPersona } from './token-auth.ts'

const REFRESH_TOKEN = 'acr-refresh-token'

/**
 * Azure's registry: an Entra token is exchanged for a refresh token, and that by POST for tokens.
 * @see https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md
 */
export function createAcrPersona(registry: FetchHandler, accessToken: string): TokenAuthPersona {
  const tokens = createTokenAuthPersona(registry, {
    username: '',
    password: REFRESH_TOKEN,
    refresh: true,
    realm: 'https://registry.test/oauth2/token',
    anonymous: false,
  })
  return {
    ...tokens,
    async fetch(request) {
      const url = new URL(request.url)
      if (url.pathname !== '/oauth2/exchange') {
        if (url.pathname === '/oauth2/token' && request.method !== 'POST')
          return new Response(null, { status: 401 })
        return tokens.fetch(request)
      }
      const form = new URLSearchParams(await request.text())
      if (
        request.method !== 'POST' ||
        form.get('grant_type') !== 'access_token' ||
        form.get('service') !== url.host ||
        form.get('access_token') !== accessToken
      )
        return Response.json(
          { errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] },
          { status: 401 },
        )
      return Response.json({ refresh_token: REFRESH_TOKEN })
    },
  }
}
