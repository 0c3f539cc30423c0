import { isSpindleError } from '../../../errors.ts'

/** `wasi:http`'s `error-code`. */
export interface HttpError {
  readonly tag: string
  readonly val?: unknown
}

/** Codes by which `fetch` says what went wrong: those of Node and its client. */
const TAGS: Readonly<Record<string, string>> = {
  EAI_AGAIN: 'DNS-timeout',
  ECONNREFUSED: 'connection-refused',
  ECONNRESET: 'connection-terminated',
  EPIPE: 'connection-terminated',
  ECONNABORTED: 'connection-terminated',
  EHOSTUNREACH: 'destination-IP-unroutable',
  ENETUNREACH: 'destination-IP-unroutable',
  EADDRNOTAVAIL: 'destination-IP-unroutable',
  ERR_ADDRESS_BLOCKED: 'destination-IP-prohibited',
  ERR_CONNECTION_LIMIT: 'connection-limit-reached',
  ETIMEDOUT: 'connection-timeout',
  ERR_READ_TIMEOUT: 'connection-read-timeout',
  UND_ERR_CONNECT_TIMEOUT: 'connection-timeout',
  UND_ERR_HEADERS_TIMEOUT: 'HTTP-response-timeout',
  UND_ERR_BODY_TIMEOUT: 'connection-read-timeout',
  UND_ERR_SOCKET: 'connection-terminated',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'HTTP-response-incomplete',
  UND_ERR_HEADERS_OVERFLOW: 'HTTP-response-header-section-size',
  HPE_HEADER_OVERFLOW: 'HTTP-response-header-section-size',
  EPROTO: 'TLS-protocol-error',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'TLS-certificate-error',
  SELF_SIGNED_CERT_IN_CHAIN: 'TLS-certificate-error',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'TLS-certificate-error',
  UNABLE_TO_GET_ISSUER_CERT: 'TLS-certificate-error',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'TLS-certificate-error',
  HOSTNAME_MISMATCH: 'TLS-certificate-error',
  ERR_TLS_CERT_ALTNAME_INVALID: 'TLS-certificate-error',
  ERR_HTTP_CONTENT_LENGTH_MISMATCH: 'HTTP-request-body-size',
}

/** Payloads of the error codes. */
const VALUES: Readonly<Record<string, unknown>> = {
  'DNS-error': { rcode: 'address not available', 'info-code': 0 },
}

function tagOf(code: string): string | undefined {
  if (Object.hasOwn(TAGS, code)) return TAGS[code]
  if (/^(?:ENOTFOUND|ENODATA|ESERVFAIL|EBADNAME)$/.test(code)) return 'DNS-error'
  if (/^(?:CERT_|ERR_TLS_CERT)/.test(code)) return 'TLS-certificate-error'
  if (/^(?:ERR_SSL_|ERR_TLS_)/.test(code)) return 'TLS-protocol-error'
  if (/^(?:HPE_|ERR_HTTP)/.test(code)) return 'HTTP-protocol-error'
  return undefined
}

// `fetch` has the cause in its error, a proxy's in that, and attempts at several addresses in one.
const MAX_CAUSES = 4

function codesOf(error: unknown, depth = 0): string[] {
  if (typeof error !== 'object' || error === null || depth > MAX_CAUSES) return []
  const { code, cause, errors } = error as { code?: unknown; cause?: unknown; errors?: unknown }
  return [
    ...(typeof code === 'string' ? [code] : []),
    ...(Array.isArray(errors)
      ? errors.slice(0, MAX_CAUSES).flatMap((one) => codesOf(one, depth + 1))
      : []),
    ...codesOf(cause, depth + 1),
  ]
}

/**
 * What a guest is told of a request that failed: of which kind, never a text, which may name hosts
 * that it doesn't know.
 */
export function httpErrorOf(error: unknown): HttpError {
  if (isSpindleError(error) && error.code === 'ERR_POLICY_REJECTED')
    return { tag: 'HTTP-request-denied' }
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return { tag: 'HTTP-response-timeout' }
  for (const code of codesOf(error)) {
    const tag = tagOf(code)
    if (tag !== undefined) return { tag, val: VALUES[tag] }
  }
  return { tag: 'destination-unavailable' }
}

/** Error text for the log. */
export function describeFailure(error: unknown): string {
  const [code] = codesOf(error)
  const { tag } = httpErrorOf(error)
  return code === undefined || code === tag ? tag : `${tag} (${code})`
}
