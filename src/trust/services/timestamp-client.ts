/** Has a time confirmed. @see https://www.rfc-editor.org/rfc/rfc3161#section-2.4.1 */
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

/** @returns DER TimeStampResp over the data, verified. */
export async function requestTimestamp(
  url: string,
  data: Uint8Array,
  authorities: readonly Authority[],
  options: ServiceOptions,
): Promise<Uint8Array> {
  // The top bit stays clear, so that the integer has one spelling of eight bytes.
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
    // Ask for the certificate: a root that lists only the authority's CA needs it.
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
      'the timestamp answers another request: its nonce differs',
    )
  return bytes
}
