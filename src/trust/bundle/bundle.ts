/** Parses sigstore bundles. @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto */
import { parseProtoBase64 } from '../../bytes/base64.ts'
import { sameBytes } from '../../bytes/der.ts'
import { formatHex } from '../../bytes/hex.ts'
import { parseUniqueJson } from '../../bytes/json.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SignatureInvalid } from '../../errors.ts'
import { parseCertificate, type Certificate } from '../x509/certificate.ts'
import { asSignatureInvalid } from '../wire/malformed.ts'
import type { InclusionProof, LogEntry } from '../log/transparency-log.ts'
import { readField, type Field } from '../wire/wire-json.ts'

/** Largest bundle: typically 4 to 30 KiB, more with large statements. */
export const MAX_BUNDLE_BYTES: number = 1024 * 1024
/** Most log entries and most timestamps: each costs signature verifications. */
const MAX_PROOFS = 32

/** A parsed bundle, not yet verified. */
export interface Bundle {
  /** Minor version: 1, 2 or 3. */
  readonly version: number
  /** Leaf first; empty for a bundle signed with a key. */
  readonly certificates: readonly Certificate[]
  readonly entries: readonly LogEntry[]
  /** DER TimeStampResp. */
  readonly timestamps: readonly Uint8Array[]
  readonly content:
    | {
        readonly kind: 'message'
        readonly signature: Uint8Array
        readonly digest: { readonly algorithm: string; readonly value: Uint8Array }
      }
    | {
        readonly kind: 'envelope'
        readonly signature: Uint8Array
        readonly payload: Uint8Array
        readonly payloadType: string
      }
}

const MALFORMED = 'the bundle is malformed'
const MEDIA_TYPE =
  /^application\/vnd\.dev\.sigstore\.bundle(?:\+json;version=0\.([123])|\.v0\.(3)\+json)$/

/**
 * Parses a bundle from JSON text, its bytes, or the result of `JSON.parse`. Checks the structure only.
 * @throws `SignatureInvalid` `BUNDLE_MALFORMED`, `BUNDLE_UNSUPPORTED_VERSION`, `CERT_CHAIN`, `TLOG_PROOF_INVALID`.
 */
export function parseBundle(input: unknown): Bundle {
  try {
    return readBundle(readField(decode(input), 'bundle', parseProtoBase64))
  } catch (cause) {
    throw asSignatureInvalid(cause, undefined, MALFORMED)
  }
}

function decode(input: unknown): unknown {
  const bytes = typeof input === 'string' ? encodeUtf8(input) : input
  if (!(bytes instanceof Uint8Array)) return bytes
  if (bytes.length > MAX_BUNDLE_BYTES)
    throw malformed(`it has ${bytes.length} bytes, more than the limit of ${MAX_BUNDLE_BYTES}`)
  return parseUniqueJson(bytes, 'the bundle')
}

function readBundle(bundle: Field): Bundle {
  // The version is a parameter up to 0.3, and a part of the type since 0.3.
  const [, asParameter, inType] = MEDIA_TYPE.exec(bundle.get('mediaType').string()) ?? []
  const version = Number(asParameter ?? inType)
  if (Number.isNaN(version))
    throw new SignatureInvalid(
      'BUNDLE_UNSUPPORTED_VERSION',
      'the media type of the bundle is not supported: versions 0.1 to 0.3 are',
    )
  const material = bundle.get('verificationMaterial')
  const certificates = readCertificates(material, version)
  const entries = material
    .get('tlogEntries')
    .list(MAX_PROOFS)
    .map((entry) => readLogEntry(entry, version))
  if (new Set(entries.map(({ logId, index }) => `${logId} ${index}`)).size < entries.length)
    throw malformed('it contains a log entry twice')
  const timestamps =
    material
      .get('timestampVerificationData')
      .optional()
      ?.get('rfc3161Timestamps')
      .list(MAX_PROOFS) ?? []
  return {
    version,
    certificates,
    entries,
    timestamps: timestamps.map((timestamp) => timestamp.get('signedTimestamp').bytes()),
    content: readContent(bundle),
  }
}

function readCertificates(material: Field, version: number): Certificate[] {
  const [leaf, chain, key] = ['certificate', 'x509CertificateChain', 'publicKey'].map((name) =>
    material.get(name).optional(),
  )
  if ([leaf, chain, key].filter((field) => field !== undefined).length !== 1)
    throw malformed('it does not have exactly one key, certificate or certificate chain')
  if (leaf !== undefined) return [parseCertificate(leaf.get('rawBytes').bytes())]
  if (chain === undefined) return []
  if (version >= 3) throw malformed('version 0.3 does not allow a certificate chain')
  const certificates = chain
    .get('certificates')
    .list(MAX_PROOFS)
    .map((certificate) => parseCertificate(certificate.get('rawBytes').bytes()))
  if (certificates.length === 0) throw malformed('its certificate chain is empty')
  if (certificates.some(({ issuer, subject }) => sameBytes(issuer, subject)))
    throw new SignatureInvalid(
      'CERT_CHAIN',
      'the bundle contains a self-signed root certificate, which only a trusted root may contain',
    )
  return certificates
}

/** Reads a log entry in the JSON of bundles and of Rekor v2. */
export function readLogEntry(entry: Field, version: number): LogEntry {
  const kind = entry.get('kindVersion')
  const promise = entry.get('inclusionPromise').optional()?.get('signedEntryTimestamp').bytes()
  const proofField = entry.get('inclusionProof').optional()
  const proof = proofField && readProof(proofField)
  const missing = version === 1 ? promise === undefined : proof === undefined
  if (missing)
    throw new SignatureInvalid(
      'TLOG_PROOF_INVALID',
      `a log entry has no inclusion ${version === 1 ? 'promise (signed entry timestamp)' : 'proof'}`,
    )
  return {
    logId: formatHex(entry.get('logId').get('keyId').bytes()),
    index: readCount(entry.get('logIndex')),
    kind: `${kind.get('kind').string()}/${kind.get('version').string()}`,
    body: entry.get('canonicalizedBody').bytes(),
    integratedTime: readCount(entry.get('integratedTime')),
    ...(promise !== undefined && { promise }),
    ...(proof !== undefined && { proof }),
  }
}

function readProof(proof: Field): InclusionProof {
  const checkpoint = proof.get('checkpoint').optional()?.get('envelope').optional()
  if (checkpoint === undefined)
    throw new SignatureInvalid(
      'TLOG_CHECKPOINT_INVALID',
      'the inclusion proof of a log entry has no checkpoint',
    )
  return {
    index: readCount(proof.get('logIndex')),
    size: readCount(proof.get('treeSize')),
    root: proof.get('rootHash').bytes(),
    // The height of a tree with 2⁵³ leaves.
    hashes: proof
      .get('hashes')
      .list(53)
      .map((hash) => hash.bytes()),
    checkpoint: checkpoint.string(),
  }
}

/** The JSON of protocol buffers omits zeros. */
function readCount(field: Field): number {
  return field.optional()?.count() ?? 0
}

function readContent(bundle: Field): Bundle['content'] {
  const message = bundle.get('messageSignature').optional()
  const envelope = bundle.get('dsseEnvelope').optional()
  if ((message === undefined) === (envelope === undefined))
    throw malformed('it does not have exactly one of `messageSignature` and `dsseEnvelope`')
  if (message !== undefined) {
    const digest = message.get('messageDigest')
    return {
      kind: 'message',
      signature: message.get('signature').bytes(),
      digest: { algorithm: digest.get('algorithm').string(), value: digest.get('digest').bytes() },
    }
  }
  const [signature, surplus] = envelope!.get('signatures').list(2)
  if (signature === undefined || surplus !== undefined)
    throw malformed('its DSSE envelope does not have exactly one signature')
  return {
    kind: 'envelope',
    signature: signature.get('sig').bytes(),
    payload: envelope!.get('payload').bytes(),
    payloadType: envelope!.get('payloadType').string(),
  }
}

function malformed(why: string): SignatureInvalid {
  return new SignatureInvalid('BUNDLE_MALFORMED', `${MALFORMED}: ${why}`)
}
