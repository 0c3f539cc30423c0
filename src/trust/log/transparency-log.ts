/** Verifies log entries of a transparency log. @see https://github.com/sigstore/architecture-docs/blob/main/rekor-spec.md */
import { formatBase64 } from '../../bytes/base64.ts'
import { sameBytes } from '../../bytes/der.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SignatureInvalid } from '../../errors.ts'
import { verifyCheckpoint } from './checkpoint.ts'
import { assertEntry, type Signed } from './log-entry.ts'
import { isIncluded, leafHash } from './merkle.ts'
import { validAt, type Log } from '../root/trusted-root.ts'

/** A log entry with its proofs, not yet verified. */
export interface LogEntry {
  /** SHA-256 of the log's public key, hexadecimal. */
  readonly logId: string
  /** Index in the whole log, not in its shard. */
  readonly index: number
  /** `kind/version`, such as `dsse/0.0.1`; absent in legacy signatures. */
  readonly kind?: string
  /** The canonical body: JSON of the logged signature. */
  readonly body: Uint8Array
  /** Seconds since 1970; trustworthy only with a signed entry timestamp. */
  readonly integratedTime: number
  /** The signed entry timestamp (inclusion promise); Rekor v2 returns none. */
  readonly promise?: Uint8Array
  /** The inclusion proof; absent in legacy signatures and bundles of version 0.1. */
  readonly proof?: InclusionProof
}

/** Proof that an entry is in the log's Merkle tree. */
export interface InclusionProof {
  /** Index in the tree of the shard. */
  readonly index: number
  /** Number of leaves in the tree. */
  readonly size: number
  /** Root hash, 32 bytes. */
  readonly root: Uint8Array
  /** Sibling hashes from the leaf to the root, 32 bytes each. */
  readonly hashes: readonly Uint8Array[]
  /** The signed note with tree size and root hash. */
  readonly checkpoint: string
}

/** A verified log entry. */
export interface VerifiedLogEntry {
  /** URL of the log in the trusted root. */
  readonly log: string
  /** SHA-256 of the log's public key, hexadecimal. */
  readonly logId: string
  /** Index in the whole log. */
  readonly index: number
  /** `kind/version`, such as `dsse/0.0.1`. */
  readonly kind: string
  /** Integrated time in milliseconds since 1970; absent without a signed entry timestamp. */
  readonly at?: number
}

/**
 * Verifies that a trusted log contains the entry or promised to include it, and that the entry is for this
 * signature.
 *
 * Verifies the signed entry timestamp and the inclusion proof if the entry has both.
 * @throws `SignatureInvalid` `TLOG_…`.
 */
export async function verifyLogEntry(
  entry: LogEntry,
  signed: Signed,
  logs: readonly Log[],
): Promise<VerifiedLogEntry> {
  const log = logs.find((known) => known.id === entry.logId)
  if (log === undefined)
    throw new SignatureInvalid(
      'TLOG_UNKNOWN_LOG',
      `the trusted root does not contain the transparency log ${entry.logId} of a log entry: update the trusted root`,
    )
  if (entry.promise === undefined && entry.proof === undefined)
    throw new SignatureInvalid(
      'TLOG_PROOF_INVALID',
      'a log entry has neither an inclusion proof nor a signed entry timestamp',
    )
  if (entry.promise !== undefined) await assertPromise(entry, entry.promise, log)
  if (entry.proof !== undefined) await assertProof(entry, entry.proof, log)
  const kind = await assertEntry(entry.body, signed, entry.kind)
  // In Rekor v2 every shard is a log of its own, so both indexes are the same.
  if (kind === 'hashedrekord/0.0.2' && entry.proof?.index !== entry.index)
    throw new SignatureInvalid(
      'TLOG_PROOF_INVALID',
      'the index of a log entry differs from the index in its inclusion proof',
    )
  return {
    log: log.uri,
    logId: log.id,
    index: entry.index,
    kind,
    ...(entry.promise !== undefined && { at: entry.integratedTime * 1000 }),
  }
}

/** Verifies the signed entry timestamp, without which the integrated time is not trustworthy. */
async function assertPromise(entry: LogEntry, promise: Uint8Array, log: Log): Promise<void> {
  if (!validAt(log, entry.integratedTime * 1000))
    throw new SignatureInvalid(
      'TLOG_SET_INVALID',
      'the trusted root does not trust this transparency log at the time of signing',
    )
  // RFC 8785 canonical JSON of this object: sorted keys, no whitespace.
  const canonical = `{"body":"${formatBase64(entry.body)}","integratedTime":${entry.integratedTime},"logID":"${entry.logId}","logIndex":${entry.index}}`
  if (!(await log.key().verify(promise, encodeUtf8(canonical))))
    throw new SignatureInvalid(
      'TLOG_SET_INVALID',
      'the signed entry timestamp of the transparency log does not verify',
    )
}

async function assertProof(entry: LogEntry, proof: InclusionProof, log: Log): Promise<void> {
  // Tree size and root hash of the checkpoint count; the unsigned copies in the proof have to equal them.
  const { size, root } = await verifyCheckpoint(proof.checkpoint, log)
  if (proof.size !== size || !sameBytes(proof.root, root)) {
    throw new SignatureInvalid(
      'TLOG_CHECKPOINT_INVALID',
      'the checkpoint has another tree size or root hash than the inclusion proof',
    )
  }
  if (!(await isIncluded(await leafHash(entry.body), proof.index, size, proof.hashes, root))) {
    throw new SignatureInvalid(
      'TLOG_PROOF_INVALID',
      'the inclusion proof of the log entry does not verify',
    )
  }
}
