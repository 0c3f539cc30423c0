import type { Storage } from '../storage/port.ts'
import { UPLOADS_PREFIX } from './keys.ts'
import { Refusal } from '../http/refusal.ts'
import { closeSession, offsetOf, parseUploadKey, sessionKey } from './upload-session.ts'
import type { UploadSession } from './upload-session.ts'

/** Uploads open at once: clients send some 8 blobs each, and leave few of them unfinished. */
export const MAX_UPLOADS = 1000
/** Of one repository, so that nobody takes all of them with the right to push to one. */
export const MAX_REPOSITORY_UPLOADS = 500
/** Bytes of all that is not finished: four blobs of the largest size. */
export const MAX_UPLOAD_BYTES: number = 64 * 1024 ** 3
/** Of one repository. */
export const MAX_REPOSITORY_UPLOAD_BYTES: number = 32 * 1024 ** 3

/** Milliseconds after which an upload may be given up to make room for another. */
const IDLE_TIME = 15 * 60_000
/** Milliseconds after which it is looked again what other instances have opened. */
const CENSUS_AGE = 10 * 60_000
/** The same when there seems to be no room. */
const SHORT_CENSUS_AGE = 30_000
/** Seconds after which a client that was refused may try again. */
const RETRY_AFTER = 30

/** Each for all repositories, and for any one of them. */
export interface UploadLimits {
  readonly maxUploads: number
  readonly maxRepositoryUploads: number
  readonly maxUploadBytes: number
  readonly maxRepositoryUploadBytes: number
}

type Upload = Pick<UploadSession, 'id' | 'repository' | 'prefix' | 'offset'>

/** Counts the bytes of a body that comes in. @throws 429 when there is no room for them */
export type Meter = (bytes: number) => void

/** Keeps count of what is uploaded and not finished, and of the room that is left for more. */
export interface UploadLedger {
  /** Opens an upload if there may be another. @throws 429 */
  open(repository: string, open: () => Promise<UploadSession>): Promise<UploadSession>
  /**
   * Takes in a body of so many bytes, if that is known. They count until `work` has ended; then
   * those that it says it has kept do, as long as the upload is open.
   * @throws 429
   */
  takeIn<T extends { readonly kept?: number }>(
    upload: Upload | { readonly repository: string },
    announced: number | undefined,
    work: (meter: Meter) => Promise<T>,
  ): Promise<T>
  /** An upload is finished or cancelled. */
  closed(id: string): void
}

interface Held {
  readonly repository: string
  readonly prefix: string
  bytes: number
  /** Milliseconds since 1970. */
  touched: number
  /** Requests that work on it here. */
  busy: number
}

interface Sum {
  uploads: number
  bytes: number
}

/**
 * The ledger of one instance. It sees what other instances have opened when it lists the storage:
 * at its first upload, every ten minutes, and before it refuses one. Between these, instances
 * together may let in more than the limits say.
 */
export function createUploadLedger(storage: Storage, limits: UploadLimits): UploadLedger {
  const held = new Map<string, Held>()
  const total: Sum = { uploads: 0, bytes: 0 }
  /** Bytes of one upload that would fit if there were no other. */
  const largest = Math.min(limits.maxUploadBytes, limits.maxRepositoryUploadBytes)
  const repositories = new Map<string, Sum>()
  let counted = -Infinity
  let counting: Promise<void> | undefined

  const add = (repository: string, uploads: number, bytes: number): void => {
    const sum = repositories.get(repository) ?? { uploads: 0, bytes: 0 }
    for (const each of [total, sum]) {
      each.uploads += uploads
      each.bytes += bytes
    }
    if (sum.uploads === 0 && sum.bytes === 0) repositories.delete(repository)
    else repositories.set(repository, sum)
  }
  const hold = ({ id, repository, prefix, offset }: Upload, touched: number): Held => {
    const known = held.get(id)
    const entry = known ?? { repository, prefix, bytes: 0, touched, busy: 0 }
    add(repository, known === undefined ? 1 : 0, offset - entry.bytes)
    entry.bytes = offset
    entry.touched = Math.max(entry.touched, touched)
    held.set(id, entry)
    return entry
  }
  const forget = (id: string): void => {
    const entry = held.get(id)
    if (entry === undefined) return
    held.delete(id)
    add(entry.repository, -1, -entry.bytes)
  }

  const count = async (): Promise<void> => {
    const begun = Date.now()
    const found = new Set<string>()
    for await (const { upload, touched } of listUploads(storage)) {
      found.add(upload.id)
      hold(upload, touched)
    }
    for (const [id, { touched, busy }] of held)
      if (!found.has(id) && busy === 0 && touched < begun) forget(id)
    counted = Date.now()
  }
  const recount = async (age: number): Promise<void> => {
    if (Date.now() - counted < age) return
    counting ??= count().finally(() => (counting = undefined))
    await counting
  }

  /** The limit that so many more would exceed, if any. */
  const excess = (repository: string, { uploads, bytes }: Sum): keyof UploadLimits | undefined => {
    const own = repositories.get(repository) ?? { uploads: 0, bytes: 0 }
    if (uploads > 0 && own.uploads + uploads > limits.maxRepositoryUploads)
      return 'maxRepositoryUploads'
    if (uploads > 0 && total.uploads + uploads > limits.maxUploads) return 'maxUploads'
    if (bytes > 0 && own.bytes + bytes > limits.maxRepositoryUploadBytes)
      return 'maxRepositoryUploadBytes'
    if (bytes > 0 && total.bytes + bytes > limits.maxUploadBytes) return 'maxUploadBytes'
    return undefined
  }
  /**
   * Gives up the upload that was left longest ago, in one repository or in all.
   * @returns false when none was left for long enough.
   */
  const giveUpOne = async (repository: string | undefined): Promise<boolean> => {
    const latest = Date.now() - IDLE_TIME
    const idle = [...held]
      .filter(
        ([, entry]) =>
          entry.busy === 0 &&
          entry.touched < latest &&
          (repository === undefined || entry.repository === repository),
      )
      .sort(([, a], [, b]) => a.touched - b.touched)
    for (const [id, entry] of idle) {
      const now = await storage.head(sessionKey(entry.prefix))
      if (now !== undefined && now.modified >= latest) {
        // Another instance has gone on with it.
        entry.touched = now.modified
        continue
      }
      forget(id)
      await closeSession(storage, { prefix: entry.prefix, hasParts: true })
      return true
    }
    return false
  }
  /** Counts so much more as soon as there is room: others that wait for it must not see it as free. */
  const reserve = async (repository: string, more: Sum): Promise<void> => {
    await recount(CENSUS_AGE)
    if (excess(repository, more) !== undefined) await recount(SHORT_CENSUS_AGE)
    for (;;) {
      const limit = excess(repository, more)
      if (limit === undefined) return add(repository, more.uploads, more.bytes)
      const isOwn = limit === 'maxRepositoryUploads' || limit === 'maxRepositoryUploadBytes'
      if (!(await giveUpOne(isOwn ? repository : undefined))) throw refused(limit, limits[limit])
    }
  }

  return {
    async open(repository, open) {
      await reserve(repository, { uploads: 1, bytes: 0 })
      try {
        const session = await open()
        hold(session, Date.now())
        return session
      } finally {
        add(repository, -1, 0)
      }
    },
    async takeIn(upload, announced, work) {
      const { repository } = upload
      const entry = 'id' in upload ? hold(upload, Date.now()) : undefined
      if (entry !== undefined) entry.busy++
      const before = 'id' in upload ? upload.offset : 0
      let reserved = 0
      let seen = 0
      try {
        await reserve(repository, { uploads: 0, bytes: announced ?? 0 })
        reserved = announced ?? 0
        const result = await work((bytes) => {
          seen += bytes
          const more = seen - reserved
          // What is too large by itself is refused as that, by who reads it.
          if (more <= 0 || before + seen > largest) return
          const limit = excess(repository, { uploads: 0, bytes: more })
          if (limit !== undefined) throw refused(limit, limits[limit])
          add(repository, 0, more)
          reserved += more
        })
        if (entry !== undefined && 'id' in upload && held.get(upload.id) === entry)
          hold({ ...upload, offset: upload.offset + (result.kept ?? 0) }, Date.now())
        return result
      } finally {
        add(repository, 0, -reserved)
        if (entry !== undefined) {
          entry.busy--
          entry.touched = Date.now()
        }
      }
    },
    closed: forget,
  }
}

/**
 * All uploads of a storage, by pages. Of one with more parts than a page has, only that is read how
 * far it has come.
 */
async function* listUploads(
  storage: Storage,
): AsyncGenerator<{ readonly upload: Upload; readonly touched: number }> {
  for (let after: string | undefined; ;) {
    const page = await storage.list(UPLOADS_PREFIX, after === undefined ? {} : { after })
    const found = new Map<string, { upload: Upload; touched: number }>()
    for (const { key, size, modified } of page.entries) {
      const parsed = parseUploadKey(key)
      if (parsed === undefined) continue
      const { id, repository, prefix, isPart } = parsed
      const before = found.get(id)
      const offset = (before?.upload.offset ?? 0) + (isPart ? size : 0)
      const touched = Math.max(before?.touched ?? 0, modified)
      found.set(id, { upload: { id, repository, prefix, offset }, touched })
    }
    const last = page.more ? [...found.values()].at(-1) : undefined
    if (last !== undefined) {
      const { upload } = last
      const offset = await offsetOf(storage, upload.prefix)
      found.set(upload.id, { ...last, upload: { ...upload, offset: offset ?? upload.offset } })
    }
    yield* found.values()
    if (last === undefined) return
    // Sorts after all of that upload.
    after = `${UPLOADS_PREFIX}${last.upload.id}/~`
  }
}

const REASONS: Readonly<Record<keyof UploadLimits, (most: number) => string>> = {
  maxUploads: (most) => `${most} uploads are open`,
  maxRepositoryUploads: (most) => `${most} uploads are open in this repository`,
  maxUploadBytes: (most) => `unfinished uploads may take ${most} bytes`,
  maxRepositoryUploadBytes: (most) => `unfinished uploads of one repository may take ${most} bytes`,
}

function refused(limit: keyof UploadLimits, most: number): Refusal {
  return new Refusal(
    429,
    {
      code: 'TOOMANYREQUESTS',
      message: `${REASONS[limit](most)}: finish or cancel others, or try again later; an operator can raise "${limit}"`,
    },
    { headers: { 'Retry-After': String(RETRY_AFTER) } },
  )
}
