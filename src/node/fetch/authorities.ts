import { X509Certificate } from 'node:crypto'
import * as tls from 'node:tls'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/**
 * What checks servers against Node's own authorities and those given. To be made once, not for each
 * connection: to read Node's own takes 20 ms (measured).
 */
export function trustAlso(ca: string | readonly string[]): tls.SecureContext {
  const given = [ca].flat().flatMap((text) => text.match(CERTIFICATE) ?? [])
  try {
    // OpenSSL passes over in silence what it can't read.
    for (const certificate of given) new X509Certificate(certificate)
  } catch (cause) {
    throw new TypeError(
      '"ca" has a certificate that can’t be read: give it as it was issued, in PEM',
      {
        cause,
      },
    )
  }
  if (given.length === 0)
    throw new TypeError('"ca" must be certificates in PEM, as "-----BEGIN CERTIFICATE-----…"')
  return tls.createSecureContext({ ca: [...ownAuthorities(), ...given] })
}

/** All that count without us; on Node 20 those built in, as it tells no more. */
function ownAuthorities(): readonly string[] {
  const { getCACertificates } = tls as { getCACertificates?: (type: 'default') => string[] }
  return getCACertificates?.('default') ?? tls.rootCertificates
}
