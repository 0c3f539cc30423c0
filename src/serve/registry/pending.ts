import { isDigest } from '../../bytes/digest.ts'
import { isJsonObject, parseJson } from '../../bytes/json.ts'
import { randomId } from '../../bytes/random-id.ts'
import { readExactly } from '../../bytes/stream.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import type { Digest } from '../../types.ts'
import type { Storage } from '../storage/port.ts'
import { PENDING_PREFIX } from './keys.ts'

/** A push of a manifest that is under way: what must not be collected until the manifest itself says so. */
export interface PendingPush {
  readonly repository: string
  readonly digest: Digest
  /** All that may be a blob of it. */
  readonly mentioned: readonly Digest[]
  /** That it lists. */
  readonly manifests: readonly Digest[]
}

/** @returns The key of the note, for its removal once the manifest and its tags are there. */
export async function announcePush(
  storage: Storage,
  { repository, digest, mentioned, manifests }: PendingPush,
): Promise<string> {
  const key = `${PENDING_PREFIX}${randomId()}`
  await storage.put(key, encodeUtf8(JSON.stringify({ repository, digest, mentioned, manifests })))
  return key
}

/** `undefined` when the push has ended meanwhile. */
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
