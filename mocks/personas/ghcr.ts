import type { FetchHandler } from '../../src/types.ts'
import { isUploadStart, refuse, withHeaders } from './answers.ts'

const MAX_PATCH = 4 * 1024 * 1024

/**
 * GitHub's registry: a 429 that says how long to wait in its message only (fermyon/developer #589),
 * PATCH up to 4 MiB (rust-oci-client #37), relative upload locations (swift-container-plugin #44),
 * referrers that redirect to a page (artifacthub #4785), manifests for those only who accept them,
 * sessions forgotten now and then (jib #4301).
 */
export function createGhcrPersona(
  registry: FetchHandler,
  options: { readonly refuseEvery?: number; readonly forget?: (count: number) => boolean } = {},
): FetchHandler & { readonly refused: () => number } {
  let count = 0
  let refused = 0
  let puts = 0
  return {
    refused: () => refused,
    async fetch(request) {
      const url = new URL(request.url)
      if (url.host === 'github.com')
        return new Response('<html>', { status: 429, headers: { 'content-type': 'text/html' } })
      if (options.refuseEvery !== undefined && (count += 1) % options.refuseEvery === 0) {
        refused += 1
        return refuse(429, 'TOOMANYREQUESTS', 'retry-after: 10.487765ms, allowed: 2000/minute')
      }
      if (url.pathname.includes('/referrers/'))
        return new Response(null, {
          status: 303,
          headers: { location: `https://github.com${url.pathname.replace('/v2', '')}` },
        })
      const isManifest = url.pathname.includes('/manifests/')
      if (
        isManifest &&
        (request.method === 'GET' || request.method === 'HEAD') &&
        !request.headers.get('accept')?.includes('vnd.oci.image.manifest')
      )
        return refuse(
          404,
          'MANIFEST_UNKNOWN',
          'OCI manifest found, but Accept header does not support OCI manifests',
        )
      if (request.method === 'PATCH') {
        const size = (await request.clone().arrayBuffer()).byteLength
        if (size > MAX_PATCH) return refuse(416, 'SIZE_INVALID', 'chunk too large')
      }
      if (request.method === 'PUT' && !isManifest && options.forget?.((puts += 1)) === true)
        return refuse(404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry')
      const response = withHeaders(await registry.fetch(request), { 'oci-subject': undefined })
      const location = response.headers.get('location')
      if (!isUploadStart(request) || location === null) return response
      const absolute = new URL(location, url)
      return withHeaders(response, { location: `${absolute.pathname}${absolute.search}` })
    },
  }
}
