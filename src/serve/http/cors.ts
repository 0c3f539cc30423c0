/**
 * Cross-origin access (CORS) to the servers.
 *
 * Preflights are answered before authentication: browsers send them without credentials.
 *
 * CORS only restricts what a page can read. Browsers send simple POST requests of any page without a
 * preflight, so the origin of writes is checked too.
 */
export interface CorsOptions {
  /**
   * Origins of pages that can use the server, such as `https://app.example`; `'*'` allows all. Writes from
   * pages of other origins are answered with 403.
   */
  readonly origins: readonly string[] | '*'
}

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE'

/** Request headers of registry and Bindle clients. */
const REQUEST_HEADERS = [
  'Accept',
  'Authorization',
  'Content-Type',
  'Content-Range',
  'Range',
  'If-Match',
  'If-None-Match',
  'If-Range',
  'X-Requested-With',
]

/** Response headers that clients need; `*` does not cover responses to requests with `Authorization`. */
export const EXPOSED_HEADERS: readonly string[] = [
  'Location',
  'Docker-Content-Digest',
  'Link',
  'Range',
  'Content-Range',
  'Accept-Ranges',
  'ETag',
  'OCI-Subject',
  'OCI-Filters-Applied',
  'OCI-Chunk-Min-Length',
  'OCI-Tag',
  'WWW-Authenticate',
  'Warning',
  'Retry-After',
  'RateLimit-Limit',
  'RateLimit-Remaining',
  'RateLimit-Reset',
  'Docker-Upload-UUID',
  'Docker-Distribution-Api-Version',
  'Content-Length',
]

/** Cache lifetime of preflights in seconds. Browsers cap it: Chromium at two hours. */
const MAX_AGE = 86400

/** @throws `TypeError` for an invalid origin; with a path or a trailing slash it would never match. */
export function assertOrigins({ origins }: CorsOptions): void {
  if (origins === '*') return
  for (const origin of origins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin)
      throw new TypeError(
        `"cors.origins" contains ${JSON.stringify(origin)}, which is not an origin: write it as https://app.example`,
      )
  }
}

/** Answers a preflight; `undefined` for any other request. */
export function answerPreflight(
  request: Request,
  cors: CorsOptions | undefined,
): Response | undefined {
  if (request.method !== 'OPTIONS') return undefined
  const headers = new Headers({ Allow: `${METHODS}, OPTIONS` })
  if (cors !== undefined && request.headers.has('Access-Control-Request-Method')) {
    headers.set('Access-Control-Allow-Methods', METHODS)
    headers.set('Access-Control-Allow-Headers', REQUEST_HEADERS.join(', '))
    headers.set('Access-Control-Max-Age', String(MAX_AGE))
  }
  allowOrigin(headers, request, cors)
  return new Response(null, { status: 204, headers })
}

/** Adds the CORS headers of a response. Never allows credentials of the browser (cookies). */
export function allowOrigin(
  headers: Headers,
  request: Request,
  cors: CorsOptions | undefined,
): void {
  if (cors === undefined) return
  const origin = request.headers.get('Origin')
  if (cors.origins !== '*') headers.append('Vary', 'Origin')
  const allowed =
    cors.origins === '*'
      ? '*'
      : origin !== null && cors.origins.includes(origin)
        ? origin
        : undefined
  if (allowed === undefined) return
  headers.set('Access-Control-Allow-Origin', allowed)
  headers.set('Access-Control-Expose-Headers', EXPOSED_HEADERS.join(', '))
}

/** Whether a method is safe (read-only). @see RFC 9110, 9.2.1 */
export function isSafeMethod(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}

/**
 * Whether a request comes from a page that is neither of the server's origin nor allowed.
 *
 * Non-browser clients send neither `Origin` nor `Sec-Fetch-Site`. Browsers send both, and scripts cannot
 * set them: `Origin` with every cross-origin request except simple reads, `Sec-Fetch-Site` with every
 * request to https and loopback. A sandboxed page has the origin `null`, which only `'*'` allows.
 *
 * @see Fetch Standard, `Origin` header; Fetch Metadata, `Sec-Fetch-Site`
 */
export function isForeignPage(request: Request, url: URL, cors: CorsOptions | undefined): boolean {
  if (cors?.origins === '*') return false
  const origin = request.headers.get('Origin')
  if (origin !== null && cors?.origins.includes(origin)) return false
  const site = request.headers.get('Sec-Fetch-Site')
  if (site !== null && site !== 'same-origin' && site !== 'none') return true
  return origin !== null && !isOwnOrigin(origin, url)
}

/** Behind a proxy that terminates TLS, the page has https where the request has http. */
function isOwnOrigin(origin: string, url: URL): boolean {
  if (!URL.canParse(origin)) return false
  const page = new URL(origin)
  return (
    page.origin === origin &&
    page.host === url.host &&
    (page.protocol === url.protocol || (page.protocol === 'https:' && url.protocol === 'http:'))
  )
}

/** The message for a page that is not allowed to write. */
export function refusedPage(request: Request): string {
  const origin = request.headers.get('Origin') ?? 'another site'
  return `pages of ${origin.slice(0, 255)} are not allowed to write: add their origin to "cors.origins", or to --cors on the command line`
}
