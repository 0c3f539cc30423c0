import type { FetchHandler } from '../../src/types.ts'
import { withHeaders } from './answers.ts'

/**
 * A status, another length or digest than GET's, no digest, no type, a redirect to itself, or a
 * connection that breaks.
 */
export type HeadQuirk =
  number | 'length' | 'empty' | 'no-digest' | 'other-digest' | 'html' | 'loop' | 'cut'

/**
 * Answers HEAD worse than GET: Harbor with another length (oras-go #1176), ECR Public and Red Hat
 * without a digest (krustlet #667, go-containerregistry #971), Ollama's with 405 (oras-go #882),
 * others with 404 (watchtower #667) or a page of the proxy before them.
 */
export function createHeadQuirksPersona(
  registry: FetchHandler,
  quirk: HeadQuirk,
  what: 'manifests' | 'blobs' = 'manifests',
): FetchHandler & { readonly requests: string[] } {
  const requests: string[] = []
  return {
    requests,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      requests.push(`${request.method} ${pathname.replace(/^.*\/(?=manifests|blobs)/, '')}`)
      if (request.method !== 'HEAD' || !pathname.includes(`/${what}/`))
        return registry.fetch(request)
      if (typeof quirk === 'number') return new Response(null, { status: quirk })
      if (quirk === 'html')
        return new Response(null, {
          headers: { 'content-type': 'text/html', 'content-length': '9' },
        })
      if (quirk === 'empty') return new Response(null, { headers: { 'content-length': '0' } })
      if (quirk === 'other-digest')
        return new Response(null, {
          headers: { 'docker-content-digest': `sha256:${'0'.repeat(64)}` },
        })
      if (quirk === 'loop')
        return new Response(null, { status: 302, headers: { location: pathname } })
      if (quirk === 'cut') throw new TypeError('fetch failed')
      const response = await registry.fetch(request)
      const length = Number(response.headers.get('content-length')) + 7
      return withHeaders(
        response,
        quirk === 'length'
          ? { 'content-length': String(length) }
          : { 'docker-content-digest': undefined },
      )
    },
  }
}
