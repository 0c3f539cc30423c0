/** Signed tree heads. @see https://github.com/C2SP/C2SP/blob/main/tlog-checkpoint.md */
import { parseBase64 } from '../../bytes/base64.ts'
import { formatHex } from '../../bytes/hex.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SignatureInvalid } from '../../errors.ts'
import { attempt } from '../keys/public-key.ts'
import type { Log } from '../root/trusted-root.ts'
import { readField } from '../wire/wire-json.ts'

/** Longest note: a checkpoint with fifteen witnesses has 3 KiB. */
const MAX_CHECKPOINT_CHARS: number = 64 * 1024

interface Checkpoint {
  /** Leaves in the tree. */
  readonly size: number
  readonly root: Uint8Array
}

/**
 * A checkpoint that the log signed.
 *
 * One line by the log is needed and enough: witnesses and second algorithms stand beside it in any order.
 * @throws `SignatureInvalid` `TLOG_CHECKPOINT_INVALID`.
 */
export async function verifyCheckpoint(note: string, log: Log): Promise<Checkpoint> {
  const blank = note.indexOf('\n\n')
  if (blank < 0 || note.length > MAX_CHECKPOINT_CHARS) throw bad('it is no signed note')
  const text = note.slice(0, blank + 1)
  const [origin = '', count, root = ''] = text.split('\n')
  const [host = ''] = origin.split(' - ')
  if (!namesOf(log.uri).includes(host)) throw bad('it is of another log')
  const size = attempt(() => readField(count, 'size').count())
  const rootBytes = parseBase64(root)
  if (size === undefined || rootBytes?.length !== 32) throw bad('size or root hash is missing')
  for (const line of note.slice(blank + 2).split('\n')) {
    const [, name, encoded = ''] = /^\u2014 ([^ ]+) ([A-Za-z0-9+/=]+)$/.exec(line) ?? []
    const signature = parseBase64(encoded)
    if (
      name !== host ||
      signature === undefined ||
      formatHex(signature.subarray(0, 4)) !== log.checkpointId
    )
      continue
    if (await log.key().verify(signature.subarray(4), encodeUtf8(text)))
      return { size, root: rootBytes }
  }
  throw bad('the log has not signed it')
}

/** What a log may call itself in its checkpoints: Rekor's is a name, where its address has a port. */
function namesOf(uri: string): string[] {
  try {
    const { host, hostname } = new URL(uri)
    return [host, hostname]
  } catch {
    throw new SignatureInvalid('TRUST_ROOT_INVALID', 'a log of the trusted root has no address')
  }
}

function bad(why: string): SignatureInvalid {
  return new SignatureInvalid('TLOG_CHECKPOINT_INVALID', `the log's checkpoint is no good: ${why}`)
}
