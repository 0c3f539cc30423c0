import type { FetchHandler } from '../../src/types.ts'
import { refuse, withHeaders, withoutLogin } from './answers.ts'
import { createRedirectingBlobsPersona } from './redirecting-blobs.ts'

/**
 * Amazon's registry: Basic with the user AWS, `OCI-Subject` without referrers (sigstore-js #1183),
 * PATCH answered 201 with chunks after the first dropped (containers-roadmap #2831), blobs from S3,
 * trouble with manifests as 405 (falcoctl #302).
 */
export function createEcrPersona(
  registry: FetchHandler,
  password: string,
): FetchHandler & { readonly leaks: string[] } {
  const blobs = createRedirectingBlobsPersona(registry)
  return {
    leaks: blobs.leaks,
    async fetch(request) {
      const url = new URL(request.url)
      if (url.host === 'storage.test') return blobs.fetch(request)
      if (request.headers.get('authorization') !== `Basic ${btoa(`AWS:${password}`)}`)
        return new Response('Not Authorized\n', {
          status: 401,
          headers: {
            'www-authenticate': `Basic realm="${url.origin}/",service="ecr.amazonaws.com"`,
            'content-type': 'text/plain',
          },
        })
      if (url.pathname.includes('/referrers/')) return refuse(404, 'NOT_FOUND', 'not found')
      if (request.method === 'PATCH')
        return new Response(null, { status: 201, headers: { range: '0-0' } })
      const bare = withoutLogin(request)
      if (request.method === 'PUT' && url.pathname.includes('/manifests/')) {
        const text = await bare.clone().text()
        if (!text.includes('"mediaType"')) return refuse(405, 'UNSUPPORTED', 'Invalid JSON syntax')
        const { subject } = JSON.parse(text) as { subject?: { digest: string } }
        return withHeaders(await registry.fetch(bare), { 'oci-subject': subject?.digest })
      }
      return blobs.fetch(bare)
    },
  }
}
