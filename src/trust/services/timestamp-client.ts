/** Requests RFC 3161 timestamps. @see https://www.rfc-editor.org/rfc/rfc3161#section-2.4.1 */
import {
  DER_BOOLEAN,
  DER_NULL,
  DER_OCTET_STRING,
  DER_SEQUENCE,
  formatDer,
  formatDerInteger,
  formatDerOid,
} from '../../bytes/der.ts'
import { rawDigestOf } from '../../bytes/digest.ts'
import { formatHex } from '../../bytes/hex.ts'
import { SignatureInvalid } from '../../errors.ts'
import type { Authority } from '../x509/certificate-path.ts'
import { callService, type ServiceOptions } from '../wire/service-request.ts'
import { verifyTimestamp } from '../time/timestamp.ts'

const SHA256 = '2.16.840.1.101.3.4.2.1'

/**
 * Requests a timestamp over the data and verifies it.
 * @returns DER TimeStampResp.
 */
export async function requestTimestamp(
  url: string,
  data: Uint8Array,
  authorities: readonly Authority[],
  options: ServiceOptions,
): Promise<Uint8Array> {
  // Bits 01 at the top make the DER integer positive and exactly eight bytes long.
  const nonce = crypto.getRandomValues(new Uint8Array(8))
  nonce[0] = (nonce[0]! & 0x3f) | 0x40
  const body = formatDer(
    DER_SEQUENCE,
    formatDerInteger(Uint8Array.of(1)),
    formatDer(
      DER_SEQUENCE,
      formatDer(DER_SEQUENCE, formatDerOid(SHA256), formatDer(DER_NULL)),
      formatDer(DER_OCTET_STRING, await rawDigestOf(data)),
    ),
    formatDerInteger(nonce),
    // certReq: trusted roots that list only the authority's CA need the signing certificate in the token.
    formatDer(DER_BOOLEAN, Uint8Array.of(0xff)),
  )
  const { bytes } = await callService(
    { method: 'POST', url, contentType: 'application/timestamp-query', body },
    options,
  )
  const verified = await verifyTimestamp(bytes, data, authorities)
  if (verified.nonce !== formatHex(nonce))
    throw new SignatureInvalid(
      'TIMESTAMP_INVALID',
      'the timestamp is for another request: its nonce does not match',
    )
  return bytes
}
