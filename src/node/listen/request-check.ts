import type { IncomingMessage } from 'node:http'

/** The response in place of the handler's. */
export interface Refusal {
  readonly status: number
  readonly message: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Headers of one request. Node's own limit, above which it leaves headers out without a word. */
export const MAX_HEADERS = 2000

// A name or an address, and a port. With anything else the URL that is made of it could lead elsewhere.
const HOST = /^(?:\[[\da-f:.]+\]|[\w-]+(?:\.[\w-]+)*\.?)(?::\d{1,5})?$/i

/** `Request` can't carry these methods. */
export const UNSUPPORTED_METHOD: Refusal = {
  status: 405,
  message: 'TRACE and CONNECT are not supported',
  headers: { Allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' },
}

const bad = (message: string): Refusal => ({ status: 400, message })

/**
 * Why a request is not handed to a handler, if it isn't: what it says about its target is missing,
 * ambiguous or nothing that a `Request` can say.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-3.2
 */
export function refusalOf(request: IncomingMessage): Refusal | undefined {
  const { method, url = '', rawHeaders } = request
  if (method === 'TRACE') return UNSUPPORTED_METHOD
  if (rawHeaders.length > 2 * MAX_HEADERS)
    return { status: 431, message: `the request has more than ${MAX_HEADERS} headers` }
  const hosts = rawHeaders.filter((_, i) => i % 2 === 1 && isHost(rawHeaders[i - 1]))
  if (hosts.length > 1) return bad('the request has more than one Host header')
  // The `:authority` of HTTP/2, where the header is optional.
  const authority = request.headers[':authority'] as string | undefined
  const host = hosts[0] ?? authority
  if (authority !== undefined && authority.toLowerCase() !== host?.toLowerCase())
    return bad('the authority and the Host header differ')
  // HTTP/1.0 needs none. Node refuses HTTP/1.1 without one.
  if (host !== undefined && !HOST.test(host)) return bad('the Host header is not a host')
  if (url.startsWith('/') || (url === '*' && method === 'OPTIONS')) return undefined
  return isOfHost(url, host) ? undefined : bad('the request target does not match the Host header')
}

function isHost(name: string | undefined): boolean {
  return name?.length === 4 && name.toLowerCase() === 'host'
}

/** Whether a target in absolute form is an address of the host. */
function isOfHost(target: string, host: string | undefined): boolean {
  if (!/^https?:\/\//i.test(target) || !URL.canParse(target)) return false
  const url = new URL(target)
  if (url.username !== '' || url.password !== '') return false
  return host === undefined || new URL(`${url.protocol}//${host}`).host === url.host
}
