/** Proofs that a signature is in a transparency log. @see https://github.com/sigstore/architecture-docs/blob/main/rekor-spec.md */
import { formatBase64 } from '../../bytes/base64.ts'
import { sameBytes } from '../../bytes/der.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SignatureInvalid } from '../../errors.ts'
import { verifyCheckpoint } from './checkpoint.ts'
import { assertEntry, type Signed } from './log-entry.ts'
import { isIncluded, leafHash } from './merkle.ts'
import { validAt, type Log } from '../root/trusted-root.ts'

/** An entry as it came with the signature. */
export interface LogEntry {
  /** Hexadecimal. */
  readonly logId: string
  /** In the whole log; a shard has its own count. */
  readonly index: number
  /** `kind/version`, where the bundle says it. */
  readonly kind?: string
  readonly body: Uint8Array
  /** Seconds since 1970; worth something only under a signed entry timestamp. */
  readonly integratedTime: number
  readonly promise?: Uint8Array
  readonly proof?: InclusionProof
}

export interface InclusionProof {
  readonly index: number
  readonly size: number
  readonly root: Uint8Array
  readonly hashes: readonly Uint8Array[]
  readonly checkpoint: string
}

/** An entry that was proven. */
export interface VerifiedLogEntry {
  readonly log: string
  readonly logId: string
  readonly index: number
  readonly kind: string
  /** Milliseconds since 1970, when the log vouches for it. */
  readonly at?: number
}

/**
 * That the log signed or holds this entry, and that it is of this signature.
 *
 * Every proof that is there is checked, not just the first that suffices.
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
      'the transparency log of an entry is not in the trusted root',
    )
  if (entry.promise === undefined && entry.proof === undefined)
    throw new SignatureInvalid('TLOG_PROOF_INVALID', 'a log entry comes without an inclusion proof')
  if (entry.promise !== undefined) await assertPromise(entry, entry.promise, log)
  if (entry.proof !== undefined) await assertProof(entry, entry.proof, log)
  const kind = await assertEntry(entry.body, signed, entry.kind)
  // One shard is one log there, so both counts are the same.
  if (kind === 'hashedrekord/0.0.2' && entry.proof?.index !== entry.index)
    throw new SignatureInvalid('TLOG_PROOF_INVALID', 'a log entry has two different positions')
  return {
    log: log.uri,
    logId: log.id,
    index: entry.index,
    kind,
    ...(entry.promise !== undefined && { at: entry.integratedTime * 1000 }),
  }
}

/** The signed entry timestamp: the only thing that makes the integrated time trustworthy. */
async function assertPromise(entry: LogEntry, promise: Uint8Array, log: Log): Promise<void> {
  if (!validAt(log, entry.integratedTime * 1000))
    throw new SignatureInvalid(
      'TLOG_SET_INVALID',
      'the trusted root did not trust this log at the time of signing',
    )
  // RFC 8785 form of this one shape: keys in order, no spaces, integers bare.
  const canonical = `{"body":"${formatBase64(entry.body)}","integratedTime":${entry.integratedTime},"logID":"${entry.logId}","logIndex":${entry.index}}`
  if (!(await log.key().verify(promise, encodeUtf8(canonical))))
    throw new SignatureInvalid('TLOG_SET_INVALID', "the log's signed entry timestamp does not hold")
}

async function assertProof(entry: LogEntry, proof: InclusionProof, log: Log): Promise<void> {
  // Size and root are the checkpoint's; those beside the proof are nobody's word, and have to repeat them.
  const { size, root } = await verifyCheckpoint(proof.checkpoint, log)
  if (proof.size !== size || !sameBytes(proof.root, root)) {
    throw new SignatureInvalid(
      'TLOG_CHECKPOINT_INVALID',
      "the checkpoint is of another tree than the entry's proof",
    )
  }
  if (!(await isIncluded(await leafHash(entry.body), proof.index, size, proof.hashes, root))) {
    throw new SignatureInvalid(
      'TLOG_PROOF_INVALID',
      "the log entry's inclusion proof does not hold",
    )
  }
}
