/** Signed timestamps. @see https://www.rfc-editor.org/rfc/rfc3161 and https://www.rfc-editor.org/rfc/rfc5652#section-5 */
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
  verifyNamed,
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
/** Arc of the SHA-2 hashes, and which of them have which number below it. */
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
    throw (cause as { reason?: string }).reason === 'UNSUPPORTED_ALGORITHM'
      ? cause
      : asSignatureInvalid(cause, 'TIMESTAMP_INVALID', 'the timestamp is no good')
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
  const [status, contentInfo] = derMembers(response)
  // 0 granted, 1 granted with modifications.
  if (derSmallInteger(derMembers(status)[0]) > 1) throw bad('the authority refused it')
  const [type, wrapped] = derMembers(contentInfo)
  if (derOid(type) !== SIGNED_DATA) throw bad('content type')
  const [version, algorithms, contents, ...rest] = derMembers(derMembers(wrapped, 0xa0)[0])
  derSmallInteger(version)
  const [contentType, content] = derMembers(contents)
  if (derOid(contentType) !== TST_INFO) throw bad('content type')
  const info = expectDer(derMembers(content, 0xa0)[0], DER_OCTET_STRING).value
  const [signer, surplus] = derMembers(rest.pop(), DER_SET)
  if (signer === undefined || surplus !== undefined) throw bad('not one signer')
  // Certificates and revocation lists; nobody signed which of them are there.
  if (rest.some(({ tag }) => tag !== 0xa0 && tag !== 0xa1)) throw bad('unknown parts')
  const certificates = rest.flatMap((field) => (field.tag === 0xa0 ? derMembers(field, 0xa0) : []))
  const signerInfo = readSigner(signer)
  const named = derMembers(algorithms, DER_SET).map(hashOf)
  if (!named.includes(signerInfo.digest)) throw bad('hash not named')
  return {
    info,
    signer: signerInfo,
    certificates: certificates.map(({ raw }) => parseCertificate(raw)),
  }
}

function readSigner(signer: Der): SignerInfo {
  const [version, id, digestAlgorithm, attributes, signatureAlgorithm, signature] =
    derMembers(signer)
  if (derSmallInteger(version) !== 1) throw bad('version')
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
  if (derOid(attributes.get(CONTENT_TYPE)) !== TST_INFO) throw bad('content type')
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
    const named = authority.chain[0]!
    // A root that names who signs means that one, and not whom else its authority certified.
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
  const [version, , imprint, , time, ...rest] = derMembers(info)
  const [algorithm, hashed] = derMembers(imprint)
  if (derSmallInteger(version) !== 1) throw bad('version')
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
  for (const attribute of derMembers(set, DER_SET)) {
    const [type, values] = derMembers(attribute)
    const [value, surplus] = derMembers(values, DER_SET)
    const id = derOid(type)
    if (value === undefined || surplus !== undefined || attributes.has(id))
      throw bad('signed attributes')
    attributes.set(id, value)
  }
  return attributes
}

function hashOf(algorithm: Der | undefined): HashName {
  const id = derOid(derMembers(algorithm)[0])
  const name = id.startsWith(SHA2) ? HASHES[Number(id.slice(SHA2.length))] : undefined
  if (name === undefined)
    throw new SignatureInvalid('UNSUPPORTED_ALGORITHM', 'hashes are SHA-256, SHA-384 and SHA-512')
  return name
}

function bad(why: string): SignatureInvalid {
  return new SignatureInvalid('TIMESTAMP_INVALID', why)
}
