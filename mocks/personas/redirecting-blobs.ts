import type { FetchHandler } from '../../src/types.ts'

/**
 * Blobs live in S3, by links with a signature. S3 takes one way of authentication only, so that a
 * leaked `Authorization` is answered 400 (opa #6580, renovate #3877).
 */
export function createRedirectingBlobsPersona(
  registry: FetchHandler,
  storage = 'https://storage.test',
): FetchHandler & { readonly leaks: string[] } {
  const leaks: string[] = []
  return {
    leaks,
    async fetch(request) {
      const url = new URL(request.url)
      if (url.origin === storage) {
        const leaked = request.headers.get('authorization') ?? request.headers.get('cookie')
        if (leaked !== null) {
          leaks.push(leaked)
          const body =
            '<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>'
          return new Response(body, { status: 400, headers: { 'content-type': 'application/xml' } })
        }
        const origin = url.searchParams.get('origin')!
        return registry.fetch(
          new Request(new URL(url.pathname, origin), { headers: request.headers }),
        )
      }
      if (request.method !== 'GET' || !/\/blobs\/sha/.test(url.pathname))
        return registry.fetch(request)
      const location = `${storage}${url.pathname}?origin=${url.origin}&X-Amz-Signature=s3cr3t`
      return new Response(null, { status: 307, headers: { location } })
    },
  }
}
