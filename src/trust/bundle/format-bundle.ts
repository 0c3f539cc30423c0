/** Formats sigstore bundles of version 0.3, the version of cosign ≥3. */
import { formatBase64 } from '../../bytes/base64.ts'
import { parseHex } from '../../bytes/hex.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import type { LogEntry } from '../log/transparency-log.ts'
import { BUNDLE_TYPE } from '../wire/media-types.ts'

/** The signing key, as a hint to look it up with, or the signing certificate in DER. */
export type Verifier = { readonly hint: string } | { readonly certificate: Uint8Array }

interface BundleParts {
  readonly verifier: Verifier
  readonly entries: readonly LogEntry[]
  readonly timestamps: readonly Uint8Array[]
  readonly envelope: {
    readonly payloadType: string
    readonly payload: Uint8Array
    readonly signature: Uint8Array
  }
}

/** Formats the JSON of a bundle. */
export function formatBundle({
  verifier,
  entries,
  timestamps,
  envelope,
}: BundleParts): Uint8Array<ArrayBuffer> {
  return encodeUtf8(
    JSON.stringify({
      mediaType: BUNDLE_TYPE,
      verificationMaterial: {
        ...('hint' in verifier
          ? { publicKey: { hint: verifier.hint } }
          : { certificate: { rawBytes: formatBase64(verifier.certificate) } }),
        ...(entries.length > 0 && { tlogEntries: entries.map(formatEntry) }),
        ...(timestamps.length > 0 && {
          timestampVerificationData: {
            rfc3161Timestamps: timestamps.map((bytes) => ({
              signedTimestamp: formatBase64(bytes),
            })),
          },
        }),
      },
      dsseEnvelope: {
        payload: formatBase64(envelope.payload),
        payloadType: envelope.payloadType,
        signatures: [{ sig: formatBase64(envelope.signature) }],
      },
    }),
  )
}

/** Integers are strings: the JSON of protocol buffers for 64 bits. */
function formatEntry(entry: LogEntry): object {
  const [kind, version] = entry.kind?.split('/') ?? []
  const { proof, promise } = entry
  return {
    logIndex: String(entry.index),
    logId: { keyId: formatBase64(parseHex(entry.logId)!) },
    kindVersion: { kind, version },
    ...(promise !== undefined && {
      integratedTime: String(entry.integratedTime),
      inclusionPromise: { signedEntryTimestamp: formatBase64(promise) },
    }),
    ...(proof !== undefined && {
      inclusionProof: {
        logIndex: String(proof.index),
        rootHash: formatBase64(proof.root),
        treeSize: String(proof.size),
        hashes: proof.hashes.map((hash) => formatBase64(hash)),
        checkpoint: { envelope: proof.checkpoint },
      },
    }),
    canonicalizedBody: formatBase64(entry.body),
  }
}
