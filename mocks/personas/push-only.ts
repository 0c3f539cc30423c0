import type { FetchHandler } from '../../src/types.ts'
import { refuse } from './answers.ts'

/**
 * Credentials that may push and not read, as robot accounts of Harbor may be: every GET and HEAD is
 * refused, but for upload sessions.
 * @see https://goharbor.io/docs/2.12.0/working-with-projects/project-configuration/create-robot-accounts/
 */
export function createPushOnlyPersona(
  registry: FetchHandler,
  status: number,
): FetchHandler & { readonly requests: string[] } {
  const requests: string[] = []
  return {
    requests,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url)
      requests.push(`${request.method} ${pathname}`)
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      // A mount reads from the other repository.
      if ((isRead && pathname !== '/v2/') || searchParams.has('mount'))
        return refuse(status, 'DENIED', 'push only')
      return registry.fetch(request)
    },
  }
}
