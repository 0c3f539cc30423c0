/** Sigstore bundles, read. @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto */
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

/** Longest bundle: real ones have 4 to 30 KiB, the rest is room for statements. */
export const MAX_BUNDLE_BYTES: number = 1024 * 1024
/** Most log entries and timestamps; each costs signature checks. */
const MAX_PROOFS = 32

export interface Bundle {
  /** Minor version: 1, 2 or 3. */
  readonly version: number
  /** Leaf first; empty for a bundle that is signed with a key. */
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

const UNREADABLE = "the bundle can't be read"
const MEDIA_TYPE =
  /^application\/vnd\.dev\.sigstore\.bundle(?:\+json;version=0\.([123])|\.v0\.(3)\+json)$/

/**
 * JSON text, its bytes, or what `JSON.parse` made of it, to a bundle; structure only, nothing is verified.
 * @throws `SignatureInvalid` `BUNDLE_MALFORMED`, `BUNDLE_UNSUPPORTED_VERSION`, `CERT_CHAIN`, `TLOG_PROOF_INVALID`.
 */
export function parseBundle(input: unknown): Bundle {
  try {
    return readBundle(readField(decode(input), 'bundle', parseProtoBase64))
  } catch (cause) {
    throw asSignatureInvalid(cause, undefined, UNREADABLE)
  }
}

function decode(input: unknown): unknown {
  const bytes = typeof input === 'string' ? encodeUtf8(input) : input
  if (!(bytes instanceof Uint8Array)) return bytes
  if (bytes.length > MAX_BUNDLE_BYTES) throw malformed(`longer than ${MAX_BUNDLE_BYTES} bytes`)
  return parseUniqueJson(bytes, 'the bundle')
}

function readBundle(bundle: Field): Bundle {
  const [, older, newer] = MEDIA_TYPE.exec(bundle.get('mediaType').string()) ?? []
  const version = Number(older ?? newer)
  if (Number.isNaN(version))
    throw new SignatureInvalid(
      'BUNDLE_UNSUPPORTED_VERSION',
      'bundles of versions 0.1 to 0.3 are supported',
    )
  const material = bundle.get('verificationMaterial')
  const certificates = readCertificates(material, version)
  const entries = material
    .get('tlogEntries')
    .list(MAX_PROOFS)
    .map((entry) => readLogEntry(entry, version))
  if (new Set(entries.map(({ logId, index }) => `${logId} ${index}`)).size < entries.length)
    throw malformed('one log entry twice')
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
    throw malformed('not exactly one key or certificate')
  if (leaf !== undefined) return [parseCertificate(leaf.get('rawBytes').bytes())]
  if (chain === undefined) return []
  if (version >= 3) throw malformed('a certificate chain in version 0.3')
  const certificates = chain
    .get('certificates')
    .list(MAX_PROOFS)
    .map((certificate) => parseCertificate(certificate.get('rawBytes').bytes()))
  if (certificates.length === 0) throw malformed('an empty certificate chain')
  if (certificates.some(({ issuer, subject }) => sameBytes(issuer, subject)))
    throw new SignatureInvalid('CERT_CHAIN', 'the bundle brings a root certificate along')
  return certificates
}

/** An entry in the spelling of bundles and of logs of version 2. */
export function readLogEntry(entry: Field, version: number): LogEntry {
  const kind = entry.get('kindVersion')
  const promise = entry.get('inclusionPromise').optional()?.get('signedEntryTimestamp').bytes()
  const proofField = entry.get('inclusionProof').optional()
  const proof = proofField && readProof(proofField)
  const missing = version === 1 ? promise === undefined : proof === undefined
  if (missing)
    throw new SignatureInvalid(
      'TLOG_PROOF_INVALID',
      `a log entry comes without an inclusion ${version === 1 ? 'promise' : 'proof'}`,
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
      'an inclusion proof comes without a checkpoint',
    )
  return {
    index: readCount(proof.get('logIndex')),
    size: readCount(proof.get('treeSize')),
    root: proof.get('rootHash').bytes(),
    // 2⁵³ leaves make a tree of that height.
    hashes: proof
      .get('hashes')
      .list(53)
      .map((hash) => hash.bytes()),
    checkpoint: checkpoint.string(),
  }
}

/** Protocol buffers leave a zero out. */
function readCount(field: Field): number {
  return field.optional()?.count() ?? 0
}

function readContent(bundle: Field): Bundle['content'] {
  const message = bundle.get('messageSignature').optional()
  const envelope = bundle.get('dsseEnvelope').optional()
  if ((message === undefined) === (envelope === undefined))
    throw malformed('not exactly one of message signature and envelope')
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
    throw malformed('not exactly one envelope signature')
  return {
    kind: 'envelope',
    signature: signature.get('sig').bytes(),
    payload: envelope!.get('payload').bytes(),
    payloadType: envelope!.get('payloadType').string(),
  }
}

function malformed(why: string): SignatureInvalid {
  return new SignatureInvalid('BUNDLE_MALFORMED', `${UNREADABLE}: ${why}`)
}
