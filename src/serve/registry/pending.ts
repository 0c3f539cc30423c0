import { isDigest } from '../../bytes/digest.ts'
import { isJsonObject, parseJson } from '../../bytes/json.ts'
import { randomId } from '../../bytes/random-id.ts'
import { readExactly } from '../../bytes/stream.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import type { Digest } from '../../types.ts'
import type { Storage } from '../storage/port.ts'
import { PENDING_PREFIX } from './keys.ts'

/** A manifest push in progress. Its references must not be swept before the manifest is stored. */
export interface PendingPush {
  readonly repository: string
  readonly digest: Digest
  /** All digests in the manifest, each possibly a blob. */
  readonly mentioned: readonly Digest[]
  /** Manifests of an index. */
  readonly manifests: readonly Digest[]
}

/**
 * Writes a note about a push.
 * @returns The key of the note, to be deleted when the manifest and its tags are stored.
 */
export async function announcePush(
  storage: Storage,
  { repository, digest, mentioned, manifests }: PendingPush,
): Promise<string> {
  const key = `${PENDING_PREFIX}${randomId()}`
  await storage.put(key, encodeUtf8(JSON.stringify({ repository, digest, mentioned, manifests })))
  return key
}

/** Reads a note; `undefined` if the push has ended. */
export async function readPending(storage: Storage, key: string): Promise<PendingPush | undefined> {
  const value = await storage.get(key)
  if (value === undefined) return undefined
  const note = parseJson(await readExactly(value.body, value.size, 'a note'), 'a note of a push')
  if (!isJsonObject(note) || typeof note['repository'] !== 'string' || !isDigest(note['digest']))
    return undefined
  const digestsOf = (list: unknown): Digest[] => (Array.isArray(list) ? list.filter(isDigest) : [])
  return {
    repository: note['repository'],
    digest: note['digest'],
    mentioned: digestsOf(note['mentioned']),
    manifests: digestsOf(note['manifests']),
  }
}
