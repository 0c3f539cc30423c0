import { EXPOSED_HEADERS } from '../http/cors.ts'

/** All that a client may say to a registry. Never cookies, origins or who else was on the way. */
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

/** Set by the relay itself, whatever the registry says. */
const OWN_HEADERS = new Set(['location', 'link', 'www-authenticate', 'content-length'])
const RESPONSE_HEADERS = [...EXPOSED_HEADERS, 'Last-Modified', 'OCI-Chunk-Max-Length'].filter(
  (name) => !OWN_HEADERS.has(name.toLowerCase()),
)

/** Types that no browser shows or runs. Everything else leaves as plain bytes. */
const HARMLESS_TYPE = /^application\/(?:[\w.-]+\+)?json(?: *;[\w =.-]*)?$/i

export function upstreamHeaders(request: Request): Headers {
  const headers = new Headers()
  for (const name of REQUEST_HEADERS) {
    const value = request.headers.get(name)
    if (value !== null) headers.set(name, value)
  }
  // A second coding would make sizes and ranges those of other bytes.
  headers.set('accept-encoding', 'identity')
  return headers
}

/**
 * What a client sees of a registry's answer. Blobs are anybody's bytes on the relay's origin: never
 * sniffed, shown, framed or run there.
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

/** What every answer of a relay has, its own refusals too. */
export function guardHeaders(headers: Headers): void {
  headers.set('X-Content-Type-Options', 'nosniff')
  headers.set('Content-Disposition', 'attachment')
  headers.set('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'; sandbox")
  headers.set('Cross-Origin-Resource-Policy', 'same-origin')
  headers.set('Referrer-Policy', 'no-referrer')
  if (!headers.has('Cache-Control')) headers.set('Cache-Control', 'private, no-store')
}
