import type { FetchHandler } from '../../src/types.ts'
import { isUploadStart, refuse, withHeaders } from './answers.ts'

/** Google's Artifact Registry: no chunks (sdk-container-builds #287), very long locations (attest-build-provenance #606). */
export function createGarPersona(registry: FetchHandler): FetchHandler {
  return {
    async fetch(request) {
      if (request.method === 'PATCH')
        return refuse(400, 'UNSUPPORTED', 'chunked uploads are not supported')
      const response = await registry.fetch(request)
      const location = response.headers.get('location')
      if (!isUploadStart(request) || location === null) return response
      const long = new URL(location, request.url)
      long.searchParams.set('_state', 'x'.repeat(6000))
      return withHeaders(response, { location: long.href })
    },
  }
}
