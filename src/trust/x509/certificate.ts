/** Parses X.509 certificates. @see https://www.rfc-editor.org/rfc/rfc5280#section-4 */
import {
  derBits,
  derBoolean,
  derIntegerBytes,
  derOid,
  derTime,
  DER_BOOLEAN,
  DER_OCTET_STRING,
  DER_OID,
  DER_SEQUENCE,
  expectDer,
  sameBytes,
  type Der,
  derMembers,
} from '../../bytes/der.ts'
import { formatHex } from '../../bytes/hex.ts'
import { SpindleError } from '../../errors.ts'
import type { HashName } from '../keys/hash.ts'
import { parsePublicKey, type PublicKey } from '../keys/public-key.ts'

/** A parsed certificate. */
export interface Certificate {
  /** DER of the certificate. */
  readonly raw: Uint8Array
  /** DER of the signed part (TBSCertificate). */
  readonly tbs: Uint8Array
  /** Hexadecimal. */
  readonly serial: string
  /** DER names, compared byte by byte. */
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  /** Milliseconds since 1970, both inclusive. */
  readonly notBefore: number
  readonly notAfter: number
  readonly spki: Uint8Array
  readonly signatureAlgorithm: string
  readonly signature: Uint8Array
  /** By dotted object identifier. */
  readonly extensions: ReadonlyMap<
    string,
    { readonly critical: boolean; readonly value: Uint8Array }
  >
}

/** Hash of each signature algorithm that certificates and timestamps use. */
const SIGNATURE_HASHES: ReadonlyMap<
  string,
  { readonly hash: HashName; readonly kind: PublicKey['kind'] }
> = new Map([
  ['1.2.840.10045.4.3.2', { hash: 'SHA-256', kind: 'ECDSA' }],
  ['1.2.840.10045.4.3.3', { hash: 'SHA-384', kind: 'ECDSA' }],
  ['1.2.840.10045.4.3.4', { hash: 'SHA-512', kind: 'ECDSA' }],
  ['1.2.840.113549.1.1.11', { hash: 'SHA-256', kind: 'RSA' }],
  ['1.2.840.113549.1.1.12', { hash: 'SHA-384', kind: 'RSA' }],
  ['1.2.840.113549.1.1.13', { hash: 'SHA-512', kind: 'RSA' }],
  ['1.3.101.112', { hash: 'SHA-512', kind: 'Ed25519' }],
])

function malformed(what: string): SpindleError {
  return new SpindleError('ERR_CONTENT_INVALID', `malformed certificate: ${what}`)
}

/**
 * Parses one version 3 certificate; verifies nothing.
 * @throws `ERR_CONTENT_INVALID`.
 */
export function parseCertificate(der: Uint8Array): Certificate {
  const [tbs, outer, signature, surplus] = derMembers(der)
  const fields = derMembers(tbs)
  const [version, serial, inner, issuer, validity, subject, spki, ...rest] = fields
  if (version?.tag !== 0xa0 || formatHex(version.value) !== '020102' || surplus !== undefined)
    throw malformed('version')
  if (!sameBytes(expectDer(inner, DER_SEQUENCE).raw, expectDer(outer, DER_SEQUENCE).raw))
    throw malformed('signature algorithms')
  const times = derMembers(validity)
  return {
    raw: der,
    tbs: tbs!.raw,
    serial: formatHex(derIntegerBytes(serial)),
    issuer: expectDer(issuer, DER_SEQUENCE).raw,
    subject: expectDer(subject, DER_SEQUENCE).raw,
    notBefore: derTime(times[0]),
    notAfter: derTime(times[1]),
    spki: expectDer(spki, DER_SEQUENCE).raw,
    signatureAlgorithm: derOid(derMembers(inner)[0]),
    signature: derBits(signature),
    extensions: parseExtensions(rest.find((field) => field.tag === 0xa3)),
  }
}

function parseExtensions(field: Der | undefined): Certificate['extensions'] {
  const extensions = new Map<string, { critical: boolean; value: Uint8Array }>()
  if (field === undefined) return extensions
  const [list, surplus] = derMembers(field, 0xa3)
  if (surplus !== undefined) throw malformed('extensions')
  for (const extension of derMembers(list)) {
    const parts = derMembers(extension)
    const id = derOid(expectDer(parts[0], DER_OID))
    const flagged = parts[1]?.tag === DER_BOOLEAN
    if (extensions.has(id)) throw malformed(`extension ${id} occurs twice`)
    if (parts.length !== (flagged ? 3 : 2)) throw malformed(`extension ${id}`)
    const { value } = expectDer(parts.at(-1), DER_OCTET_STRING)
    extensions.set(id, { critical: flagged && derBoolean(parts[1]), value })
  }
  return extensions
}

/** Parses the public key of a certificate. @throws as `parsePublicKey`. */
export function publicKeyOf(certificate: Certificate): PublicKey {
  return parsePublicKey(certificate.spki)
}

/**
 * Verifies a signature whose algorithm is given by object identifier, as in X.509 and CMS.
 * @param rsaHash Hash for the bare `rsaEncryption` identifier of CMS.
 */
export async function verifyByOid(
  algorithm: string,
  key: PublicKey,
  signature: Uint8Array,
  data: Uint8Array,
  rsaHash?: HashName,
): Promise<boolean> {
  // CMS can use plain `rsaEncryption`; the hash is then in the digest algorithm.
  const plainRsa = algorithm === '1.2.840.113549.1.1.1' && rsaHash !== undefined
  const named = plainRsa ? { hash: rsaHash, kind: 'RSA' as const } : SIGNATURE_HASHES.get(algorithm)
  return named?.kind === key.kind && key.verify(signature, data, named.hash)
}

/** Whether `issuer` issued `certificate`: compares names and verifies the signature. */
export async function isIssuedBy(certificate: Certificate, issuer: Certificate): Promise<boolean> {
  if (!sameBytes(certificate.issuer, issuer.subject)) return false
  return verifyByOid(
    certificate.signatureAlgorithm,
    publicKeyOf(issuer),
    certificate.signature,
    certificate.tbs,
  )
}
