import { EXPOSED_HEADERS } from '../http/cors.ts'

/** Request headers that are forwarded to a registry. Not cookies, origins or headers of proxies. */
const REQUEST_HEADERS = [
  'accept',
  'authorization',
  'content-type',
  'content-range',
  'range',
  'if-match',
  'if-none-match',
  'if-range',
  'if-modified-since',
]

/** Response headers that the relay sets itself. */
const OWN_HEADERS = new Set(['location', 'link', 'www-authenticate', 'content-length'])
const RESPONSE_HEADERS = [...EXPOSED_HEADERS, 'Last-Modified', 'OCI-Chunk-Max-Length'].filter(
  (name) => !OWN_HEADERS.has(name.toLowerCase()),
)

/** Media types that browsers do not render or execute. All others become application/octet-stream. */
const HARMLESS_TYPE = /^application\/(?:[\w.-]+\+)?json(?: *;[\w =.-]*)?$/i

/** The headers of a request to the registry. */
export function upstreamHeaders(request: Request): Headers {
  const headers = new Headers()
  for (const name of REQUEST_HEADERS) {
    const value = request.headers.get(name)
    if (value !== null) headers.set(name, value)
  }
  // With a content coding, sizes and ranges would be those of the encoded bytes.
  headers.set('accept-encoding', 'identity')
  return headers
}

/**
 * The headers of a response to the client. Blobs are untrusted content on the relay's origin: no sniffing,
 * rendering, framing or scripts.
 */
export function clientHeaders(response: Response, immutable: boolean): Headers {
  const headers = new Headers()
  for (const name of RESPONSE_HEADERS) {
    const value = response.headers.get(name)
    if (value !== null) headers.set(name, value)
  }
  const type = response.headers.get('content-type') ?? ''
  headers.set('Content-Type', HARMLESS_TYPE.test(type) ? type : 'application/octet-stream')
  headers.set(
    'Cache-Control',
    immutable ? 'private, max-age=31536000, immutable' : 'private, no-store',
  )
  return headers
}

/** Adds the security headers of every response, including errors of the relay. */
export function guardHeaders(headers: Headers): void {
  headers.set('X-Content-Type-Options', 'nosniff')
  headers.set('Content-Disposition', 'attachment')
  headers.set('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'; sandbox")
  headers.set('Cross-Origin-Resource-Policy', 'same-origin')
  headers.set('Referrer-Policy', 'no-referrer')
  if (!headers.has('Cache-Control')) headers.set('Cache-Control', 'private, no-store')
}
