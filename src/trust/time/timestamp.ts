/** Verifies RFC 3161 timestamps. @see https://www.rfc-editor.org/rfc/rfc3161 and https://www.rfc-editor.org/rfc/rfc5652#section-5 */
import {
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
  sameBytes,
  type Der,
  derMembers,
} from '../../bytes/der.ts'
import { formatHex } from '../../bytes/hex.ts'
import { SignatureInvalid } from '../../errors.ts'
import {
  parseCertificate,
  publicKeyOf,
  verifyByOid,
  type Certificate,
} from '../x509/certificate.ts'
import {
  assertPathTime,
  buildPath,
  constraintsOf,
  TIME_STAMPING,
  type Authority,
} from '../x509/certificate-path.ts'
import { hash, type HashName } from '../keys/hash.ts'
import { asSignatureInvalid } from '../wire/malformed.ts'

const SIGNED_DATA = '1.2.840.113549.1.7.2'
const TST_INFO = '1.2.840.113549.1.9.16.1.4'
const CONTENT_TYPE = '1.2.840.113549.1.9.3'
const MESSAGE_DIGEST = '1.2.840.113549.1.9.4'
/** Object identifier of the SHA-2 hashes without its last arc, and the hash for each last arc. */
const SHA2 = '2.16.840.1.101.3.4.2.'
const HASHES: readonly (HashName | undefined)[] = [undefined, 'SHA-256', 'SHA-384', 'SHA-512']

interface VerifiedTimestamp {
  readonly uri: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** Hexadecimal, when the request had one. */
  readonly nonce?: string
}

/**
 * Verifies a timestamp over `data` by an authority of the trusted root.
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
    throw (cause as { reason?: string }).reason === 'UNSUPPORTED_ALGORITHM'
      ? cause
      : asSignatureInvalid(cause, 'TIMESTAMP_INVALID', 'the timestamp is invalid')
  }
}

interface Token {
  /** DER of the signed content, a TSTInfo. */
  readonly info: Uint8Array
  readonly signer: SignerInfo
  readonly certificates: readonly Certificate[]
}

interface SignerInfo {
  readonly issuer: Uint8Array
  readonly serial: string
  readonly digest: HashName
  /** DER of the signed attributes, encoded as SET OF. */
  readonly attributes: Uint8Array
  readonly algorithm: string
  readonly signature: Uint8Array
}

function readToken(response: Uint8Array): Token {
  const [status, contentInfo] = derMembers(response)
  // 0 granted, 1 granted with modifications.
  if (derSmallInteger(derMembers(status)[0]) > 1)
    throw invalid('the timestamp authority refused the request')
  const [type, wrapped] = derMembers(contentInfo)
  if (derOid(type) !== SIGNED_DATA) throw invalid('it is not CMS signed data')
  const [version, algorithms, contents, ...rest] = derMembers(derMembers(wrapped, 0xa0)[0])
  derSmallInteger(version)
  const [contentType, content] = derMembers(contents)
  if (derOid(contentType) !== TST_INFO) throw invalid('its content type is not TSTInfo')
  const info = expectDer(derMembers(content, 0xa0)[0], DER_OCTET_STRING).value
  const [signer, surplus] = derMembers(rest.pop(), DER_SET)
  if (signer === undefined || surplus !== undefined)
    throw invalid('it does not have exactly one signer')
  // Certificates [0] and revocation lists [1]; the signature does not cover them.
  if (rest.some(({ tag }) => tag !== 0xa0 && tag !== 0xa1)) throw invalid('it has unknown fields')
  const certificates = rest.flatMap((field) => (field.tag === 0xa0 ? derMembers(field, 0xa0) : []))
  const signerInfo = readSigner(signer)
  const named = derMembers(algorithms, DER_SET).map(hashOf)
  if (!named.includes(signerInfo.digest))
    throw invalid("the signer's digest algorithm is not among those of the signed data")
  return {
    info,
    signer: signerInfo,
    certificates: certificates.map(({ raw }) => parseCertificate(raw)),
  }
}

function readSigner(signer: Der): SignerInfo {
  const [version, id, digestAlgorithm, attributes, signatureAlgorithm, signature] =
    derMembers(signer)
  if (derSmallInteger(version) !== 1) throw invalid('the version of its signer info is not 1')
  const [issuer, serial] = derMembers(id)
  const attributeSet = expectDer(attributes, 0xa0)
  return {
    issuer: expectDer(issuer, DER_SEQUENCE).raw,
    serial: formatHex(derIntegerBytes(serial)),
    digest: hashOf(digestAlgorithm),
    attributes: formatDer(DER_SET, attributeSet.value),
    algorithm: derOid(derMembers(signatureAlgorithm)[0]),
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
    throw invalid('its signed content type is not TSTInfo')
  const signedDigest = expectDer(attributes.get(MESSAGE_DIGEST), DER_OCTET_STRING).value
  if (!sameBytes(signedDigest, await hash(signer.digest, info)))
    throw invalid('its signed digest does not match its content')

  const { at, nonce } = await readInfo(info, data)
  const isSigner = (certificate: Certificate): boolean =>
    certificate.serial === signer.serial && sameBytes(certificate.issuer, signer.issuer)
  let reason = invalid('no timestamp authority of the trusted root issued it')
  for (const authority of authorities) {
    // A token with certificates has to include the certificate of its signer: RFC 3161, 2.4.2.
    const certificate = (certificates.length > 0 ? certificates : authority.chain).find(isSigner)
    const named = authority.chain[0]!
    // If the trusted root lists a signing certificate, no other certificate of the same CA counts.
    if (
      certificate === undefined ||
      !(constraintsOf(named) || sameBytes(named.raw, certificate.raw))
    )
      continue
    try {
      assertPathTime(
        await buildPath(certificate, authority, TIME_STAMPING, certificates),
        authority,
        at,
      )
      if (
        await verifyByOid(
          signer.algorithm,
          publicKeyOf(certificate),
          signer.signature,
          signer.attributes,
          signer.digest,
        )
      ) {
        return { uri: authority.uri, at, ...(nonce !== undefined && { nonce }) }
      }
      reason = invalid('its signature does not verify')
    } catch (cause) {
      if (!(cause instanceof SignatureInvalid)) throw cause
      reason = invalid(cause.message)
    }
  }
  throw reason
}

/** @see RFC 3161, 2.4.2 */
async function readInfo(
  info: Uint8Array,
  data: Uint8Array,
): Promise<{ at: number; nonce: string | undefined }> {
  const [version, , imprint, , time, ...rest] = derMembers(info)
  const [algorithm, hashed] = derMembers(imprint)
  if (derSmallInteger(version) !== 1) throw invalid('the version of its TSTInfo is not 1')
  const expected = await hash(hashOf(algorithm), data)
  if (!sameBytes(expectDer(hashed, DER_OCTET_STRING).value, expected))
    throw invalid('it is for other data')
  const nonce = rest.find((field) => field.tag === DER_INTEGER)
  return {
    at: derTime(expectDer(time, DER_GENERALIZED_TIME)),
    nonce: nonce && formatHex(derIntegerBytes(nonce)),
  }
}

function readAttributes(set: Uint8Array): Map<string, Der> {
  const attributes = new Map<string, Der>()
  for (const attribute of derMembers(set, DER_SET)) {
    const [type, values] = derMembers(attribute)
    const [value, surplus] = derMembers(values, DER_SET)
    const id = derOid(type)
    if (value === undefined || surplus !== undefined || attributes.has(id))
      throw invalid('its signed attributes are malformed')
    attributes.set(id, value)
  }
  return attributes
}

function hashOf(algorithm: Der | undefined): HashName {
  const id = derOid(derMembers(algorithm)[0])
  const name = id.startsWith(SHA2) ? HASHES[Number(id.slice(SHA2.length))] : undefined
  if (name === undefined)
    throw new SignatureInvalid(
      'UNSUPPORTED_ALGORITHM',
      `the hash algorithm ${id} of the timestamp is not supported (SHA-256, SHA-384 and SHA-512 are)`,
    )
  return name
}

function invalid(why: string): SignatureInvalid {
  return new SignatureInvalid('TIMESTAMP_INVALID', why)
}
