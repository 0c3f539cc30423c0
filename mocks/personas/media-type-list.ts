import type { FetchHandler } from '../../src/types.ts'
import { refuse } from './answers.ts'

/** GitLab and self-hosted Quay take the media types of a list only (grimoire #11, oras #738). */
export function createMediaTypeListPersona(
  registry: FetchHandler,
  allowed: readonly string[],
): FetchHandler {
  return {
    async fetch(request) {
      if (request.method === 'PUT' && new URL(request.url).pathname.includes('/manifests/')) {
        const { config, layers = [] } = (await request.clone().json()) as {
          config?: { mediaType: string }
          layers?: { mediaType: string }[]
        }
        const unknown = [...(config === undefined ? [] : [config]), ...layers].find(
          ({ mediaType }) => !allowed.includes(mediaType),
        )
        if (unknown !== undefined)
          return refuse(400, 'MANIFEST_INVALID', `unknown media type: ${unknown.mediaType}`)
      }
      return registry.fetch(request)
    },
  }
}
