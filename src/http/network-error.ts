import { InvalidResponse, SpindleError } from '../errors.ts'
import type { Platform } from './platform.ts'
import { redactUrl } from './redact.ts'

/** Headers that a registry must expose to pages (CORS) for uploads and tokens. */
const EXPOSED =
  'Location, Docker-Content-Digest, Link, Range, OCI-Subject, WWW-Authenticate, Content-Length'

/** Codes of OpenSSL and Node for an untrusted certificate, as in `SELF_SIGNED_CERT_IN_CHAIN`. */
const OF_CERTIFICATES = /CERT|LEAF_SIGNATURE|^INVALID_CA$/

/** The error for a request without a response, with the reason as far as it is known. */
export function networkError(
  method: string,
  url: URL,
  platform: Platform,
  cause: unknown,
): SpindleError {
  const what = `${method} ${redactUrl(url)} got no answer`
  if (platform.isBrowser) {
    const { origin } = platform
    const next =
      origin === url.origin
        ? ''
        : `. If ${url.host} is up, it must by CORS allow the origin ${origin}, the method ${method} and the headers Authorization and Content-Type, answer OPTIONS without login, and expose ${EXPOSED}; or go through a relay (createRelayHandler)`
    return new SpindleError('ERR_NETWORK', `${what}: the browser does not say why${next}`, {
      cause,
    })
  }
  const code = codeOf(cause)
  if (code === 'UND_ERR_HEADERS_OVERFLOW' || code === 'HPE_HEADER_OVERFLOW')
    return new InvalidResponse(
      `${method} ${redactUrl(url)} was answered with too many headers; in Node, raise the limit with --max-http-header-size=65536, or createNodeFetch's "maxHeaderSize"`,
      { status: 0, method, url: redactUrl(url) },
      { cause },
    )
  const next = isOfCertificate(cause)
    ? 'its certificate is not trusted: check the host; your own authority goes, in Node, into NODE_EXTRA_CA_CERTS or createNodeFetch\'s "ca"'
    : 'check the host and the connection'
  return new SpindleError(
    'ERR_NETWORK',
    `${what}${code === undefined ? '' : ` (${code})`}; ${next}`,
    { cause },
  )
}

/** Whether a certificate was refused. Retries do not help then. */
export function isOfCertificate(error: unknown): boolean {
  return OF_CERTIFICATES.test(codeOf(error) ?? '')
}

/** The code of the deepest cause, as in `ECONNREFUSED`. */
export function codeOf(error: unknown): string | undefined {
  let found: string | undefined
  for (let depth = 0, at = error; depth < 5 && at instanceof Error; depth++, at = at.cause) {
    const { code } = at as Error & { code?: unknown }
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,40}$/.test(code)) found = code
  }
  return found
}
