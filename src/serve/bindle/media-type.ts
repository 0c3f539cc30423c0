import type { Label } from '../../bindle/invoice.ts'
import { BindleProblem } from './answer.ts'

/**
 * Media types that are CORS-safelisted: pages can POST them to other origins without a preflight.
 *
 * Invoices are accepted as TOML or JSON only, the types of all clients. Parcels are also accepted without
 * a type, as sent by Bindle's own client, so there only these three types are rejected.
 *
 * @see Fetch Standard, CORS-safelisted request-header
 */
const PAGE_TYPES: readonly (string | undefined)[] = [
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'text/plain',
]

/** The format of a posted invoice. @throws 415 for another media type or none. */
export function invoiceFormat(request: Request): 'toml' | 'json' {
  const type = mediaTypeOf(request)
  if (type === 'application/toml') return 'toml'
  if (type === 'application/json') return 'json'
  throw new BindleProblem(
    415,
    'Request body toml deserialize error: content-type is not TOML: post an invoice as application/toml or application/json',
  )
}

/** @throws 415 for a CORS-safelisted media type, unless it is the type of the parcel. */
export function assertParcelType(request: Request, label: Label): void {
  const type = mediaTypeOf(request)
  const own = essenceOf(label.mediaType)
  // Many HTTP clients send strings as text/plain.
  const isText = type === 'text/plain' && own.startsWith('text/')
  if (!PAGE_TYPES.includes(type) || type === own || isText) return
  throw new BindleProblem(
    415,
    `a parcel cannot be posted as ${type}: use its own media type, application/octet-stream or none`,
  )
}

/** The media type of a request; `undefined` without `Content-Type`. */
function mediaTypeOf(request: Request): string | undefined {
  const type = request.headers.get('content-type')
  return type === null ? undefined : essenceOf(type)
}

/** A media type without its parameters. @see RFC 9110, 8.3.1 */
function essenceOf(type: string): string {
  return type.split(';', 1)[0]!.trim().toLowerCase()
}
