/**
 * Cross-origin access to the servers of this library.
 *
 * The classic mistake is a preflight behind authentication: browsers send none with it, so the
 * whole registry can't be used from a page. Here a preflight is answered before anything else.
 *
 * CORS only decides what a page may read. A browser sends a simple POST of any page without a
 * preflight, so requests that write are checked too.
 */
export interface CorsOptions {
  /**
   * Origins of pages that may use the server, as `https://app.example`; `'*'` for all. What other
   * pages write is refused with 403.
   */
  readonly origins: readonly string[] | '*'
}

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE'

/** All that registry and Bindle clients send; names of headers, none that a page could not set. */
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

/** All that clients must read; `*` would not cover answers to requests with `Authorization`. */
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

/** In seconds. Browsers cap it themselves: Chromium at two hours. */
const MAX_AGE = 86400

/** @throws TypeError for what is no origin; a path or a trailing slash would never match. */
export function assertOrigins({ origins }: CorsOptions): void {
  if (origins === '*') return
  for (const origin of origins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin)
      throw new TypeError(
        `"cors.origins" has ${JSON.stringify(origin)}, which is no origin: write it as https://app.example`,
      )
  }
}

/** The answer to a preflight, or `undefined` when the request isn't one. */
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

/** Adds what lets the page that asked read an answer. Credentials of the browser are never allowed. */
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

/** Methods that change nothing. @see RFC 9110, 9.2.1 */
export function isSafeMethod(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}

/**
 * Whether a browser sends this for a page that is neither of the server's own origin nor allowed.
 *
 * Programs send neither `Origin` nor `Sec-Fetch-Site`. Browsers send both by themselves, and a page
 * can't set them: `Origin` with every cross-origin request but simple reads, `Sec-Fetch-Site` with
 * every request to https and loopback. A sandboxed page has the origin `null`, which only `'*'` allows.
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

/** A proxy in front may have ended TLS, so a page over https may be the server's own over http. */
function isOwnOrigin(origin: string, url: URL): boolean {
  if (!URL.canParse(origin)) return false
  const page = new URL(origin)
  return (
    page.origin === origin &&
    page.host === url.host &&
    (page.protocol === url.protocol || (page.protocol === 'https:' && url.protocol === 'http:'))
  )
}

/** What is said to a page that may not write. */
export function refusedPage(request: Request): string {
  const origin = request.headers.get('Origin') ?? 'another site'
  return `pages of ${origin.slice(0, 255)} may not do that here: name their origin in "cors.origins", or with --cors at a shell`
}
