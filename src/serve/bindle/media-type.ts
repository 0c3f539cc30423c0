import type { Label } from '../../bindle/invoice.ts'
import { BindleProblem } from './answer.ts'

/**
 * Media types of what is posted.
 *
 * A page can send any other server a POST without a preflight only as one of three types, or
 * without a type. Invoices are taken as TOML or JSON alone, as every client sends them. Bindle's own
 * client sends parcels without a type, so there only the three are refused.
 *
 * @see Fetch Standard, CORS-safelisted request-header
 */
const PAGE_TYPES: readonly (string | undefined)[] = [
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'text/plain',
]

/** @throws 415 for a type that is none of an invoice's, or none at all. */
export function invoiceFormat(request: Request): 'toml' | 'json' {
  const type = mediaTypeOf(request)
  if (type === 'application/toml') return 'toml'
  if (type === 'application/json') return 'json'
  throw new BindleProblem(
    415,
    'Request body toml deserialize error: content-type is not TOML: post an invoice as application/toml or application/json',
  )
}

/** @throws 415 for a type that a page could send, unless it is the parcel's own. */
export function assertParcelType(request: Request, label: Label): void {
  const type = mediaTypeOf(request)
  const own = essenceOf(label.mediaType)
  // Many HTTP clients send any string as plain text.
  const isText = type === 'text/plain' && own.startsWith('text/')
  if (!PAGE_TYPES.includes(type) || type === own || isText) return
  throw new BindleProblem(
    415,
    `a parcel is not posted as ${type}: use its own media type, application/octet-stream or none`,
  )
}

/** `undefined` where the client says none. */
function mediaTypeOf(request: Request): string | undefined {
  const type = request.headers.get('content-type')
  return type === null ? undefined : essenceOf(type)
}

/** A media type without its parameters. @see RFC 9110, 8.3.1 */
function essenceOf(type: string): string {
  return type.split(';', 1)[0]!.trim().toLowerCase()
}
