/** A small certificate authority, with the flaws that verifiers must notice. */
import {
  DER_BIT_STRING,
  DER_BOOLEAN,
  DER_GENERALIZED_TIME,
  DER_UTC_TIME,
  DER_OCTET_STRING,
  DER_SEQUENCE,
  DER_SET,
  DER_UTF8_STRING,
  formatDer,
  formatDerInteger,
  formatDerOid,
} from '../../src/bytes/der.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { formatEcdsaSignature } from '../../src/trust/keys/ecdsa.ts'

export const ECDSA = { name: 'ECDSA', namedCurve: 'P-256' } as const
const ECDSA_SHA256 = '1.2.840.10045.4.3.2'

export interface KeyPair {
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
  readonly spki: Uint8Array<ArrayBuffer>
}

export async function createKeyPair(): Promise<KeyPair> {
  const pair = await crypto.subtle.generateKey(ECDSA, true, ['sign', 'verify'])
  return { ...pair, spki: new Uint8Array(await crypto.subtle.exportKey('spki', pair.publicKey)) }
}

/** DER, over SHA-256. */
export async function signEcdsa(
  { privateKey }: KeyPair,
  bytes: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const signature = await crypto.subtle.sign(
    { name: 'ECDSA', hash: 'SHA-256' },
    privateKey,
    bytes as Uint8Array<ArrayBuffer>,
  )
  return formatEcdsaSignature(new Uint8Array(signature))
}

export interface Extension {
  readonly id: string
  readonly critical?: boolean
  /** DER of what stands in the octet string. */
  readonly value: Uint8Array
}

export interface CertificateFields {
  readonly subject: string
  readonly issuer: string
  readonly spki: Uint8Array
  readonly notBefore: Date
  readonly notAfter: Date
  readonly extensions: readonly Extension[]
  readonly serial?: number
}

export const nameOf = (commonName: string): Uint8Array =>
  commonName === ''
    ? formatDer(DER_SEQUENCE)
    : formatDer(
        DER_SEQUENCE,
        formatDer(
          DER_SET,
          formatDer(
            DER_SEQUENCE,
            formatDerOid('2.5.4.3'),
            formatDer(DER_UTF8_STRING, encodeUtf8(commonName)),
          ),
        ),
      )

const digitsOf = (date: Date): string => `${date.toISOString().replace(/[-T:]|\.\d+Z/g, '')}Z`

export const generalizedTime = (date: Date): Uint8Array =>
  formatDer(DER_GENERALIZED_TIME, encodeUtf8(digitsOf(date)))

/** @see https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5 */
const validity = (date: Date): Uint8Array =>
  date.getUTCFullYear() < 2050
    ? formatDer(DER_UTC_TIME, encodeUtf8(digitsOf(date).slice(2)))
    : generalizedTime(date)

export const signatureAlgorithm: Uint8Array = formatDer(DER_SEQUENCE, formatDerOid(ECDSA_SHA256))

let serials = 1000

export function formatTbs(fields: CertificateFields): Uint8Array<ArrayBuffer> {
  const extensions = fields.extensions.map(({ id, critical = false, value }) =>
    formatDer(
      DER_SEQUENCE,
      formatDerOid(id),
      ...(critical ? [formatDer(DER_BOOLEAN, Uint8Array.of(0xff))] : []),
      formatDer(DER_OCTET_STRING, value),
    ),
  )
  const serial = fields.serial ?? serials++
  return formatDer(
    DER_SEQUENCE,
    formatDer(0xa0, formatDerInteger(Uint8Array.of(2))),
    formatDerInteger(Uint8Array.of(serial >> 8, serial & 0xff)),
    signatureAlgorithm,
    nameOf(fields.issuer),
    formatDer(DER_SEQUENCE, validity(fields.notBefore), validity(fields.notAfter)),
    nameOf(fields.subject),
    fields.spki,
    ...(extensions.length === 0 ? [] : [formatDer(0xa3, formatDer(DER_SEQUENCE, ...extensions))]),
  )
}

export async function signCertificate(
  tbs: Uint8Array,
  issuer: KeyPair,
): Promise<Uint8Array<ArrayBuffer>> {
  return formatDer(
    DER_SEQUENCE,
    tbs,
    signatureAlgorithm,
    formatDer(DER_BIT_STRING, Uint8Array.of(0), await signEcdsa(issuer, tbs)),
  )
}

export const basicConstraints = (isAuthority: boolean, pathLength?: number): Extension => ({
  id: '2.5.29.19',
  critical: true,
  value: formatDer(
    DER_SEQUENCE,
    ...(isAuthority ? [formatDer(DER_BOOLEAN, Uint8Array.of(0xff))] : []),
    ...(pathLength === undefined ? [] : [formatDerInteger(Uint8Array.of(pathLength))]),
  ),
})

/** Bit 0 signs data, bits 5 and 6 sign certificates and revocations. */
export const keyUsage = (kind: 'digitalSignature' | 'keyCertSign'): Extension => ({
  id: '2.5.29.15',
  critical: true,
  value: formatDer(
    DER_BIT_STRING,
    kind === 'digitalSignature' ? Uint8Array.of(7, 0x80) : Uint8Array.of(1, 0x06),
  ),
})

export const extendedKeyUsage = (...ids: readonly string[]): Extension => ({
  id: '2.5.29.37',
  critical: ids.includes('1.3.6.1.5.5.7.3.8'),
  value: formatDer(DER_SEQUENCE, ...ids.map(formatDerOid)),
})

export const utf8Extension = (id: string, text: string): Extension => ({
  id,
  value: formatDer(DER_UTF8_STRING, encodeUtf8(text)),
})
export const rawExtension = (id: string, text: string): Extension => ({
  id,
  value: encodeUtf8(text),
})

/** Addresses and URIs by their context tags. */
export const altNames = (
  ...names: ReadonlyArray<{ email: string } | { uri: string }>
): Extension => ({
  id: '2.5.29.17',
  critical: true,
  value: formatDer(
    DER_SEQUENCE,
    ...names.map((entry) =>
      'email' in entry
        ? formatDer(0x81, encodeUtf8(entry.email))
        : formatDer(0x86, encodeUtf8(entry.uri)),
    ),
  ),
})
