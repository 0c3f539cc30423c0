/** Signed timestamps. @see https://www.rfc-editor.org/rfc/rfc3161 and https://www.rfc-editor.org/rfc/rfc5652#section-5 */
import {
  derChildren,
  derIntegerBytes,
  derOid,
  derSmallInteger,
  derTime,
  DER_GENERALIZED_TIME,
  DER_INTEGER,
  DER_OCTET_STRING,
  DER_SEQUENCE,
  DER_SET,
  expectDer,
  formatDer,
  parseDer,
  sameBytes,
  type Der,
} from '../bytes/der.ts'
import { formatHex } from '../bytes/hex.ts'
import { SignatureInvalid, SpindleError } from '../errors.ts'
import { parseCertificate, publicKeyOf, verifyNamed, type Certificate } from './certificate.ts'
import { assertPathTime, buildPath, TIME_STAMPING, type Authority } from './certificate-path.ts'
import { hash } from './hash.ts'
import type { HashName } from './public-key.ts'

const SIGNED_DATA = '1.2.840.113549.1.7.2'
const TST_INFO = '1.2.840.113549.1.9.16.1.4'
const CONTENT_TYPE = '1.2.840.113549.1.9.3'
const MESSAGE_DIGEST = '1.2.840.113549.1.9.4'
const HASHES: ReadonlyMap<string, HashName> = new Map([
  ['2.16.840.1.101.3.4.2.1', 'SHA-256'],
  ['2.16.840.1.101.3.4.2.2', 'SHA-384'],
  ['2.16.840.1.101.3.4.2.3', 'SHA-512'],
])

export interface VerifiedTimestamp {
  readonly uri: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** Hexadecimal, when the request had one. */
  readonly nonce?: string
}

/**
 * A timestamp over `data`, by an authority of the trusted root.
 * @param response DER TimeStampResp.
 * @throws `SignatureInvalid` `TIMESTAMP_INVALID`.
 */
export async function verifyTimestamp(
  response: Uint8Array,
  data: Uint8Array,
  authorities: readonly Authority[],
): Promise<VerifiedTimestamp> {
  try {
    return await verifyToken(readToken(response), data, authorities)
  } catch (cause) {
    if (
      cause instanceof SignatureInvalid &&
      (cause.reason === 'TIMESTAMP_INVALID' || cause.reason === 'UNSUPPORTED_ALGORITHM')
    )
      throw cause
    if (cause instanceof SpindleError)
      throw new SignatureInvalid(
        'TIMESTAMP_INVALID',
        `the timestamp is no good: ${cause.message}`,
        { cause },
      )
    throw cause
  }
}

interface Token {
  /** DER TSTInfo, what is signed. */
  readonly info: Uint8Array
  readonly signer: SignerInfo
  readonly certificates: readonly Certificate[]
}

interface SignerInfo {
  readonly issuer: Uint8Array
  readonly serial: string
  readonly digest: HashName
  /** DER, as a SET OF. */
  readonly attributes: Uint8Array
  readonly algorithm: string
  readonly signature: Uint8Array
}

function readToken(response: Uint8Array): Token {
  const [status, contentInfo] = derChildren(expectDer(parseDer(response), DER_SEQUENCE))
  // 0 granted, 1 granted with modifications.
  if (derSmallInteger(derChildren(expectDer(status, DER_SEQUENCE))[0]) > 1)
    throw bad('the authority refused it')
  const [type, wrapped] = derChildren(expectDer(contentInfo, DER_SEQUENCE))
  if (derOid(type) !== SIGNED_DATA) throw bad('it is no signed data')
  const [version, algorithms, contents, ...rest] = derChildren(
    expectDer(derChildren(expectDer(wrapped, 0xa0))[0], DER_SEQUENCE),
  )
  derSmallInteger(version)
  const [contentType, content] = derChildren(expectDer(contents, DER_SEQUENCE))
  if (derOid(contentType) !== TST_INFO) throw bad('it holds no time')
  const info = expectDer(derChildren(expectDer(content, 0xa0))[0], DER_OCTET_STRING).value
  const [signer, surplus] = derChildren(expectDer(rest.pop(), DER_SET))
  if (signer === undefined || surplus !== undefined) throw bad('it has not exactly one signer')
  // Certificates and revocation lists; nobody signed which of them are there.
  if (rest.some(({ tag }) => tag !== 0xa0 && tag !== 0xa1)) throw bad('it has unknown parts')
  const certificates = rest.flatMap((field) => (field.tag === 0xa0 ? derChildren(field) : []))
  const signerInfo = readSigner(signer)
  const named = derChildren(expectDer(algorithms, DER_SET)).map(hashOf)
  if (!named.includes(signerInfo.digest)) throw bad('it does not name its own hash')
  return {
    info,
    signer: signerInfo,
    certificates: certificates.map(({ raw }) => parseCertificate(raw)),
  }
}

function readSigner(signer: Der): SignerInfo {
  const [version, id, digestAlgorithm, attributes, signatureAlgorithm, signature] = derChildren(
    expectDer(signer, DER_SEQUENCE),
  )
  if (derSmallInteger(version) !== 1)
    throw bad('its signer is not named by issuer and serial number')
  const [issuer, serial] = derChildren(expectDer(id, DER_SEQUENCE))
  const attributeSet = expectDer(attributes, 0xa0)
  return {
    issuer: expectDer(issuer, DER_SEQUENCE).raw,
    serial: formatHex(derIntegerBytes(serial)),
    digest: hashOf(digestAlgorithm),
    attributes: formatDer(DER_SET, attributeSet.value),
    algorithm: derOid(derChildren(expectDer(signatureAlgorithm, DER_SEQUENCE))[0]),
    signature: expectDer(signature, DER_OCTET_STRING).value,
  }
}

async function verifyToken(
  { info, signer, certificates }: Token,
  data: Uint8Array,
  authorities: readonly Authority[],
): Promise<VerifiedTimestamp> {
  const attributes = readAttributes(signer.attributes)
  if (derOid(attributes.get(CONTENT_TYPE)) !== TST_INFO)
    throw bad('its signature is of another type of content')
  const signedDigest = expectDer(attributes.get(MESSAGE_DIGEST), DER_OCTET_STRING).value
  if (!sameBytes(signedDigest, await hash(signer.digest, info)))
    throw bad('its content was changed')

  const { at, nonce } = await readInfo(info, data)
  const isSigner = (certificate: Certificate): boolean =>
    certificate.serial === signer.serial && sameBytes(certificate.issuer, signer.issuer)
  let reason = bad('no authority of the trusted root issued it')
  for (const authority of authorities) {
    // A token that brings certificates along has to bring its signer's: RFC 3161, 2.4.2.
    const certificate = (certificates.length > 0 ? certificates : authority.chain).find(isSigner)
    if (certificate === undefined) continue
    try {
      assertPathTime(
        await buildPath(certificate, authority, TIME_STAMPING, certificates),
        authority,
        at,
      )
      if (
        await verifyNamed(
          signer.algorithm,
          publicKeyOf(certificate),
          signer.signature,
          signer.attributes,
          signer.digest,
        )
      ) {
        return { uri: authority.uri, at, ...(nonce !== undefined && { nonce }) }
      }
      reason = bad('its signature does not hold')
    } catch (cause) {
      if (!(cause instanceof SignatureInvalid)) throw cause
      reason = bad(cause.message)
    }
  }
  throw reason
}

/** @see RFC 3161, 2.4.2 */
async function readInfo(
  info: Uint8Array,
  data: Uint8Array,
): Promise<{ at: number; nonce: string | undefined }> {
  const [version, , imprint, , time, ...rest] = derChildren(expectDer(parseDer(info), DER_SEQUENCE))
  const [algorithm, hashed] = derChildren(expectDer(imprint, DER_SEQUENCE))
  if (derSmallInteger(version) !== 1) throw bad('its version is unknown')
  const expected = await hash(hashOf(algorithm), data)
  if (!sameBytes(expectDer(hashed, DER_OCTET_STRING).value, expected))
    throw bad('it is of other data')
  const nonce = rest.find((field) => field.tag === DER_INTEGER)
  return {
    at: derTime(expectDer(time, DER_GENERALIZED_TIME)),
    nonce: nonce && formatHex(derIntegerBytes(nonce)),
  }
}

function readAttributes(set: Uint8Array): Map<string, Der> {
  const attributes = new Map<string, Der>()
  for (const attribute of derChildren(parseDer(set))) {
    const [type, values] = derChildren(expectDer(attribute, DER_SEQUENCE))
    const [value, surplus] = derChildren(expectDer(values, DER_SET))
    const id = derOid(type)
    if (value === undefined || surplus !== undefined || attributes.has(id))
      throw bad('a signed attribute has not exactly one value')
    attributes.set(id, value)
  }
  return attributes
}

function hashOf(algorithm: Der | undefined): HashName {
  const name = HASHES.get(derOid(derChildren(expectDer(algorithm, DER_SEQUENCE))[0]))
  if (name === undefined)
    throw new SignatureInvalid(
      'UNSUPPORTED_ALGORITHM',
      'the timestamp uses a hash other than SHA-256, SHA-384 and SHA-512',
    )
  return name
}

function bad(why: string): SignatureInvalid {
  return new SignatureInvalid('TIMESTAMP_INVALID', `the timestamp is no good: ${why}`)
}
