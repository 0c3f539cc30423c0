import { isJsonObject, parseJson } from '../../bytes/json.ts'
import { readBounded } from '../../bytes/stream.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SpindleError } from '../../errors.ts'
import { randomId } from '../../bytes/random-id.ts'
import type { Storage } from './port.ts'

/**
 * How a push and a collection of garbage agree about one blob or manifest, on whichever machines
 * they run and however long either pauses.
 *
 * Both first say what they want, then look what the other said:
 *
 * - A push writes what points at the thing (a link, or a note in `pending/`), then holds it.
 * - A collection condemns the thing, then looks once more for what points at it, then buries it.
 *
 * So at least one of them sees the other. Holding and burying both go over one small value by
 * compare-and-set, so that exactly one of them gets it. What is buried is never dug out: its key is
 * not used again, since the next push of the same content makes another generation of it. A
 * deletion may therefore come as late as it likes.
 *
 * The value is missing for what no collection ever wanted, and otherwise stays, some hundred bytes.
 */
interface Generation {
  /** Which generation counts; those below it are dead. */
  readonly number: number
  /** The collection that wants it. */
  readonly condemnedBy?: string
  /** Of the value, for compare-and-set; `undefined` when there is none yet. */
  readonly etag?: string
}

const MAX_VALUE_BYTES = 1000
/** Each attempt that fails means that another push held it: its holding is as good as ours. */
const MAX_ATTEMPTS = 100

export async function readGeneration(storage: Storage, key: string): Promise<Generation> {
  const value = await storage.get(key)
  if (value === undefined) return { number: 0 }
  const bytes = await readBounded(value.body, MAX_VALUE_BYTES, 'a stored generation')
  const stored = parseJson(bytes, 'a stored generation')
  const number = isJsonObject(stored) ? stored['number'] : undefined
  if (!isJsonObject(stored) || !Number.isSafeInteger(number))
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the storage has no generation of this registry at ${key}`,
    )
  const { condemnedBy } = stored
  return {
    number: number as number,
    etag: value.etag,
    ...(typeof condemnedBy === 'string' && { condemnedBy }),
  }
}

/**
 * Keeps the generation that counts from being buried. Call it after whatever points at it is written.
 * @returns Its number. What belongs to a lower one is gone, or will be.
 */
export async function holdGeneration(storage: Storage, key: string): Promise<number> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const now = await readGeneration(storage, key)
    if (now.condemnedBy === undefined) return now.number
    if (await replace(storage, key, now, { number: now.number })) return now.number
  }
  throw new SpindleError('ERR_CONFLICT', `others changed ${key} again and again`)
}

/** Says that a collection wants what is there, unless it is dead already. */
export async function condemn(
  storage: Storage,
  key: string,
  number: number,
  collection: string,
): Promise<boolean> {
  const now = await readGeneration(storage, key)
  return (
    now.number === number && (await replace(storage, key, now, { number, condemnedBy: collection }))
  )
}

/** @returns Whether it is dead now: nobody has held it since this collection condemned it. */
export async function bury(
  storage: Storage,
  key: string,
  number: number,
  collection: string,
): Promise<boolean> {
  const now = await readGeneration(storage, key)
  if (now.number > number) return true
  return (
    now.condemnedBy === collection && (await replace(storage, key, now, { number: number + 1 }))
  )
}

async function replace(
  storage: Storage,
  key: string,
  { etag }: Generation,
  next: { number: number; condemnedBy?: string },
): Promise<boolean> {
  // The same words twice would be the same value, and have the same etag in some storages.
  const bytes = encodeUtf8(JSON.stringify({ ...next, nonce: randomId() }))
  const condition = etag === undefined ? { ifAbsent: true } : { ifMatch: etag }
  return (await storage.put(key, bytes, condition)).stored
}
