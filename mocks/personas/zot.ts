import type { FetchHandler } from '../../src/types.ts'
import { refuse, withHeaders, withoutLogin } from './answers.ts'

const CHALLENGE = 'Basic realm="Authorization Required"'

/**
 * zot where everybody may read: `/v2/` answers strangers with 200, beside a challenge
 * (project-zot/zot #3869), but a wrong login with 401, as does every write without one.
 * @see https://github.com/project-zot/zot/issues/2928
 */
export function createZotPersona(
  registry: FetchHandler,
  login: { readonly username: string; readonly password: string },
): FetchHandler {
  return {
    async fetch(request) {
      const sent = request.headers.get('authorization')
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      const isKnown = sent === `Basic ${btoa(`${login.username}:${login.password}`)}`
      if (sent === null ? !isRead : !isKnown)
        return refuse(401, 'UNAUTHORIZED', 'authentication required', {
          'www-authenticate': CHALLENGE,
        })
      const response = await registry.fetch(withoutLogin(request))
      return new URL(request.url).pathname === '/v2/' && sent === null
        ? withHeaders(response, { 'www-authenticate': CHALLENGE })
        : response
    },
  }
}
