/** Legacy (simple signing) signatures: the payload is a layer, the signature and its proofs are annotations. */
import { formatHex, parseHex } from '../../bytes/hex.ts'
import { parseBase64 } from '../../bytes/base64.ts'
import { parseJson, parseUniqueJson } from '../../bytes/json.ts'
import { parsePem } from '../../bytes/pem.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SignatureInvalid } from '../../errors.ts'
import type { Digest } from '../../types.ts'
import { parseCertificate, type Certificate } from '../x509/certificate.ts'
import { assertClaims } from '../policy/claims.ts'
import {
  CERTIFICATE_KEY,
  CHAIN_KEY,
  COSIGN_PREDICATE,
  LOG_KEY,
  PAYLOAD_KIND,
  SIGNATURE_KEY,
  TIMESTAMP_KEY,
} from '../wire/media-types.ts'
import { asSignatureInvalid } from '../wire/malformed.ts'
import type { LoadedRule } from '../policy/load-policy.ts'
import type { LogEntry } from '../log/transparency-log.ts'
import type { VerifiedBundle } from '../bundle/verify-bundle.ts'
import { verifyEvidence, type Evidence } from '../bundle/verify-signature.ts'
import { readField, readStrings } from '../wire/wire-json.ts'

/**
 * Verifies one layer of a `.sig` manifest against one rule.
 * @param payload The layer's bytes, with verified digest.
 * @param layer The layer's annotations.
 * @param about Digest of the artifact.
 * @throws `SignatureInvalid`.
 */
export async function verifyLegacySignature(
  payload: Uint8Array,
  layer: Readonly<Record<string, string>>,
  about: Digest,
  rule: LoadedRule,
): Promise<VerifiedBundle> {
  try {
    const proof = await verifyEvidence(readEvidence(payload, layer), rule)
    const { digest, reference, annotations } = readPayload(payload)
    if (digest !== about)
      throw new SignatureInvalid(
        'DIGEST_MISMATCH',
        `the signature is for another artifact: ${digest}, not ${about}`,
      )
    const claims = { format: 'legacy', reference, annotations } as const
    // Equivalent to a statement of `cosign sign`.
    assertClaims({ ...claims, predicateType: COSIGN_PREDICATE }, rule)
    return { ...claims, seen: 'digest', ...proof }
  } catch (cause) {
    throw asSignatureInvalid(cause)
  }
}

/** Parses the simple-signing payload. @see https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md */
function readPayload(payload: Uint8Array): {
  digest: string
  reference: string
  annotations: Readonly<Record<string, string>>
} {
  const root = readField(parseUniqueJson(payload, 'the signed payload'), 'payload')
  const critical = root.get('critical')
  if (critical.get('type').string() !== PAYLOAD_KIND)
    throw new SignatureInvalid(
      'PAYLOAD_TYPE',
      `the type of the signed payload is not "${PAYLOAD_KIND}"`,
    )
  return {
    digest: critical.get('image').get('docker-manifest-digest').string(),
    reference: critical.get('identity').get('docker-reference').string(),
    annotations: readStrings(root.get('optional').optional()),
  }
}

function readEvidence(payload: Uint8Array, layer: Readonly<Record<string, string>>): Evidence {
  const read = (key: string): string | undefined =>
    Object.hasOwn(layer, key) && layer[key] !== '' ? layer[key] : undefined
  // Some older tools wrap base64 lines.
  const signature = parseBase64(read(SIGNATURE_KEY)?.replace(/[\r\n]/g, '') ?? '')
  if (signature === undefined || signature.length === 0)
    throw new SignatureInvalid(
      'BUNDLE_MALFORMED',
      `the annotation ${SIGNATURE_KEY} is missing or not base64`,
    )
  const log = read(LOG_KEY)
  const timestamp = read(TIMESTAMP_KEY)
  return {
    signature,
    data: payload,
    certificates: [
      ...readCertificates(read(CERTIFICATE_KEY)),
      ...readCertificates(read(CHAIN_KEY)),
    ],
    entries: log === undefined ? [] : [readLogBundle(log)],
    timestamps:
      timestamp === undefined
        ? []
        : [
            readField(parseJson(encodeUtf8(timestamp), 'the timestamp'), 'timestamp')
              .get('SignedRFC3161Timestamp')
              .bytes(),
          ],
  }
}

function readCertificates(pem: string | undefined): Certificate[] {
  return pem === undefined
    ? []
    : parsePem(pem, 'the certificate').map(({ bytes }) => parseCertificate(bytes))
}

/** Parses Rekor's response as cosign stores it, with the field names of its Go types. */
function readLogBundle(json: string): LogEntry {
  const bundle = readField(parseUniqueJson(encodeUtf8(json), 'the log bundle'), 'log bundle')
  const payload = bundle.get('Payload')
  const logId = parseHex(payload.get('logID').string())
  if (logId === undefined)
    throw new SignatureInvalid(
      'BUNDLE_MALFORMED',
      `\`logID\` in the annotation ${LOG_KEY} is not hexadecimal`,
    )
  return {
    logId: formatHex(logId),
    index: payload.get('logIndex').count(),
    body: payload.get('body').bytes(),
    integratedTime: payload.get('integratedTime').count(),
    promise: bundle.get('SignedEntryTimestamp').bytes(),
  }
}
