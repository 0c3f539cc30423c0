/** Signed certificate timestamps. @see https://www.rfc-editor.org/rfc/rfc6962#section-3 */
import { DER_OCTET_STRING, formatDer } from '../../src/bytes/der.ts'
import { rawDigestOf } from '../../src/bytes/digest.ts'
import { concat } from '../../src/bytes/stream.ts'
import { createKeyPair, type Extension, type KeyPair, signEcdsa } from './certificates.ts'

export interface CertificateLog {
  readonly key: KeyPair
  /** The extension for a certificate whose TBS so far is `tbs`; `extensions` as static logs write. */
  stamp(
    tbs: Uint8Array,
    issuerSpki: Uint8Array,
    at: Date,
    options?: { extensions?: Uint8Array },
  ): Promise<Uint8Array>
}

const uint = (value: number, width: number): Uint8Array =>
  Uint8Array.from({ length: width }, (_, i) => Math.floor(value / 256 ** (width - 1 - i)) % 256)
const vector = (bytes: Uint8Array): Uint8Array => concat([uint(bytes.length, 2), bytes])

export async function createCertificateLog(): Promise<CertificateLog> {
  const key = await createKeyPair()
  return {
    key,
    async stamp(tbs, issuerSpki, at, { extensions = new Uint8Array() } = {}) {
      const timestamp = uint(at.getTime(), 8)
      const signed = concat([
        Uint8Array.of(0, 0),
        timestamp,
        Uint8Array.of(0, 1),
        await rawDigestOf(issuerSpki),
        uint(tbs.length, 3),
        tbs,
        vector(extensions),
      ])
      const signature = await signEcdsa(key, signed)
      return concat([
        Uint8Array.of(0),
        await rawDigestOf(key.spki),
        timestamp,
        vector(extensions),
        Uint8Array.of(4, 3),
        vector(signature),
      ])
    },
  }
}

/** The list that goes into the certificate. */
export function sctExtension(...scts: readonly Uint8Array[]): Extension {
  const list = vector(concat(scts.map(vector)))
  return { id: '1.3.6.1.4.1.11129.2.4.2', value: formatDer(DER_OCTET_STRING, list) }
}
