import type { FetchHandler } from '../../src/types.ts'
import { withHeaders } from './answers.ts'

/** docker-registry 2.8.2 and 2.8.3: no referrers API, 404 as plain text (measured). */
export function createNoReferrersPersona(registry: FetchHandler): FetchHandler {
  return {
    async fetch(request) {
      if (new URL(request.url).pathname.includes('/referrers/'))
        return new Response('404 page not found\n', {
          status: 404,
          headers: { 'content-type': 'text/plain' },
        })
      return withHeaders(await registry.fetch(request), { 'oci-subject': undefined })
    },
  }
}
