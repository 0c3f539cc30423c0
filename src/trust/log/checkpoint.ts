/** Checkpoints (signed tree heads) of transparency logs. @see https://github.com/C2SP/C2SP/blob/main/tlog-checkpoint.md */
import { parseBase64 } from '../../bytes/base64.ts'
import { formatHex } from '../../bytes/hex.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SignatureInvalid } from '../../errors.ts'
import { attempt } from '../keys/public-key.ts'
import type { Log } from '../root/trusted-root.ts'
import { readField } from '../wire/wire-json.ts'

/** Longest signed note: a checkpoint cosigned by fifteen witnesses has 3 KiB. */
const MAX_CHECKPOINT_CHARS: number = 64 * 1024

interface Checkpoint {
  /** Number of leaves in the tree. */
  readonly size: number
  readonly root: Uint8Array
}

/**
 * Parses a checkpoint and verifies that the log signed it.
 *
 * One signature line of the log is necessary and sufficient. Lines of witnesses and of other algorithms are
 * ignored, in any order.
 * @throws `SignatureInvalid` `TLOG_CHECKPOINT_INVALID`.
 */
export async function verifyCheckpoint(note: string, log: Log): Promise<Checkpoint> {
  const blank = note.indexOf('\n\n')
  if (blank < 0 || note.length > MAX_CHECKPOINT_CHARS) throw invalid('it is not a signed note')
  const text = note.slice(0, blank + 1)
  const [origin = '', count, root = ''] = text.split('\n')
  const [host = ''] = origin.split(' - ')
  if (!namesOf(log.uri).includes(host)) throw invalid('its origin is another log')
  const size = attempt(() => readField(count, 'size').count())
  const rootBytes = parseBase64(root)
  if (size === undefined || rootBytes?.length !== 32)
    throw invalid('its tree size or root hash is missing')
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
  throw invalid('it has no valid signature of the log')
}

/** Names that a log can have in its checkpoints: Rekor uses the host name, also when its URL has a port. */
function namesOf(uri: string): string[] {
  try {
    const { host, hostname } = new URL(uri)
    return [host, hostname]
  } catch {
    throw new SignatureInvalid(
      'TRUST_ROOT_INVALID',
      'a transparency log of the trusted root has no valid `baseUrl`',
    )
  }
}

function invalid(why: string): SignatureInvalid {
  return new SignatureInvalid(
    'TLOG_CHECKPOINT_INVALID',
    `the checkpoint of the transparency log is invalid: ${why}`,
  )
}
