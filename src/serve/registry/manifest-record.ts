import { concat, readExactly } from '../../bytes/stream.ts'
import { isJsonObject, parseJson } from '../../bytes/json.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { isDigest } from '../../bytes/digest.ts'
import { SpindleError } from '../../errors.ts'
import type { Digest } from '../../types.ts'
import type { Storage } from '../storage/port.ts'
import { readGeneration } from '../storage/generation.ts'
import { manifestGenerationKey, manifestKey } from './keys.ts'

/** A stored manifest: its bytes and metadata. */
export interface ManifestRecord {
  /** The pushed `Content-Type`, without parameters. */
  readonly mediaType: string
  readonly subject?: Digest
  readonly bytes: Uint8Array
}

const NEWLINE = 0x0a

/** Formats the stored value: one line of JSON, then the exact bytes. One value, so that writes are atomic. */
export function formatManifestRecord({ mediaType, subject, bytes }: ManifestRecord): Uint8Array {
  return concat([encodeUtf8(`${JSON.stringify({ mediaType, subject })}\n`), bytes])
}

/** Reads a manifest of a repository, in any existing generation. */
export async function findManifest(
  storage: Storage,
  repository: string,
  digest: Digest,
): Promise<ManifestRecord | undefined> {
  const first = await readManifestRecord(storage, manifestKey(repository, digest))
  if (first !== undefined) return first
  const { number } = await readGeneration(storage, manifestGenerationKey(repository, digest))
  return number === 0
    ? undefined
    : readManifestRecord(storage, manifestKey(repository, digest, number))
}

/** Reads the stored value of a manifest; `undefined` if it does not exist. */
export async function readManifestRecord(
  storage: Storage,
  key: string,
): Promise<ManifestRecord | undefined> {
  const value = await storage.get(key)
  if (value === undefined) return undefined
  const stored = await readExactly(value.body, value.size, 'the stored manifest')
  const end = stored.indexOf(NEWLINE)
  const head = parseJson(stored.subarray(0, Math.max(end, 0)), 'the head of a stored manifest')
  if (!isJsonObject(head) || typeof head['mediaType'] !== 'string') {
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the stored value ${value.key} is not a manifest record: the storage is damaged or used by another program`,
    )
  }
  const subject = head['subject']
  return {
    mediaType: head['mediaType'],
    ...(isDigest(subject) && { subject }),
    bytes: stored.subarray(end + 1),
  }
}
