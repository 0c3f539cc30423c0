import { isJsonObject, parseJson } from '../../bytes/json.ts'
import { readBounded } from '../../bytes/stream.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SpindleError } from '../../errors.ts'
import { randomId } from '../../bytes/random-id.ts'
import type { Storage } from './port.ts'

/**
 * Synchronizes pushes and garbage collections of one blob or manifest, on any machines and with pauses of
 * any length.
 *
 * Both first write their intent, then read the intent of the other:
 *
 * - A push writes the reference to the content (a link, or a note in `pending/`), then holds the content.
 * - A collection marks the content as garbage, looks for references once more, then sweeps it.
 *
 * So at least one of them sees the other. Holding and sweeping both update one small value by
 * compare-and-set, so that only one of them succeeds. A swept key is never used again: the next push of the
 * same content creates another generation. The deletion can therefore happen at any later time.
 *
 * The value does not exist for content that was never marked. Otherwise it stays, some hundred bytes.
 */
interface Generation {
  /** The current generation; lower ones are obsolete. */
  readonly number: number
  /** Identifier of the collection that marked it as garbage. */
  readonly markedBy?: string
  /** Etag of the stored value, for compare-and-set; `undefined` if there is none. */
  readonly etag?: string
}

const MAX_VALUE_BYTES = 1000
/** Attempts to hold a generation. A failed attempt means that another push held it, which is sufficient. */
const MAX_ATTEMPTS = 100

/** Reads the current generation; 0 if none is stored. */
export async function readGeneration(storage: Storage, key: string): Promise<Generation> {
  const value = await storage.get(key)
  if (value === undefined) return { number: 0 }
  const bytes = await readBounded(value.body, MAX_VALUE_BYTES, 'a stored generation')
  const stored = parseJson(bytes, 'a stored generation')
  const number = isJsonObject(stored) ? stored['number'] : undefined
  if (!isJsonObject(stored) || !Number.isSafeInteger(number))
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the stored value ${key} is not a generation record: the storage is damaged or used by another program`,
    )
  const { markedBy } = stored
  return {
    number: number as number,
    etag: value.etag,
    ...(typeof markedBy === 'string' && { markedBy }),
  }
}

/**
 * Prevents the current generation from being swept. Call it after writing the reference to it.
 * @returns Its number. Content of lower generations is deleted, or about to be.
 */
export async function holdGeneration(storage: Storage, key: string): Promise<number> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const now = await readGeneration(storage, key)
    if (now.markedBy === undefined) return now.number
    if (await replace(storage, key, now, { number: now.number })) return now.number
  }
  throw new SpindleError(
    'ERR_CONFLICT',
    `${key} was changed concurrently ${MAX_ATTEMPTS} times: try again`,
  )
}

/** Marks a generation as garbage, unless it is obsolete already. */
export async function markGarbage(
  storage: Storage,
  key: string,
  number: number,
  collection: string,
): Promise<boolean> {
  const now = await readGeneration(storage, key)
  return (
    now.number === number && (await replace(storage, key, now, { number, markedBy: collection }))
  )
}

/**
 * Makes a generation obsolete, unless a push has held it since this collection marked it.
 * @returns Whether it is obsolete, so that its content can be deleted.
 */
export async function sweepGarbage(
  storage: Storage,
  key: string,
  number: number,
  collection: string,
): Promise<boolean> {
  const now = await readGeneration(storage, key)
  if (now.number > number) return true
  return now.markedBy === collection && (await replace(storage, key, now, { number: number + 1 }))
}

async function replace(
  storage: Storage,
  key: string,
  { etag }: Generation,
  next: { number: number; markedBy?: string },
): Promise<boolean> {
  // Unique: in some storages equal values have the same etag.
  const bytes = encodeUtf8(JSON.stringify({ ...next, nonce: randomId() }))
  const condition = etag === undefined ? { ifAbsent: true } : { ifMatch: etag }
  return (await storage.put(key, bytes, condition)).stored
}
