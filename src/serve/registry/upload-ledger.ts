import type { Storage } from '../storage/port.ts'
import { UPLOADS_PREFIX } from './keys.ts'
import { Refusal } from '../http/refusal.ts'
import { closeSession, offsetOf, parseUploadKey, sessionKey } from './upload-session.ts'
import type { UploadSession } from './upload-session.ts'

/** Concurrently open uploads: clients send about 8 blobs at a time and abandon few. */
export const MAX_UPLOADS = 1000
/** Open uploads of one repository, so that a client with access to one repository cannot use all of them. */
export const MAX_REPOSITORY_UPLOADS = 500
/** Bytes of all unfinished uploads: four blobs of the largest size. */
export const MAX_UPLOAD_BYTES: number = 64 * 1024 ** 3
/** Bytes of the unfinished uploads of one repository. */
export const MAX_REPOSITORY_UPLOAD_BYTES: number = 32 * 1024 ** 3

/** Milliseconds of inactivity after which an upload can be removed in favour of another. */
const IDLE_TIME = 15 * 60_000
/** Milliseconds after which uploads of other instances are counted again. */
const CENSUS_AGE = 10 * 60_000
/** The same, before an upload is refused. */
const SHORT_CENSUS_AGE = 30_000
/** `Retry-After` of a refused upload, in seconds. */
const RETRY_AFTER = 30

/** Limits for all repositories together, and for each one. */
export interface UploadLimits {
  readonly maxUploads: number
  readonly maxRepositoryUploads: number
  readonly maxUploadBytes: number
  readonly maxRepositoryUploadBytes: number
}

type Upload = Pick<UploadSession, 'id' | 'repository' | 'prefix' | 'offset'>

/** Counts received bytes. @throws 429 when they exceed a limit. */
export type Meter = (bytes: number) => void

/** Tracks unfinished uploads and enforces their limits. */
export interface UploadLedger {
  /** Opens an upload. @throws 429 when there are too many. */
  open(repository: string, open: () => Promise<UploadSession>): Promise<UploadSession>
  /**
   * Receives a body. Its bytes count until `work` has ended; afterwards those that `work` reports as `kept`,
   * until the upload is closed.
   * @param announced Size of the body, if known.
   * @throws 429 when they exceed a limit.
   */
  takeIn<T extends { readonly kept?: number }>(
    upload: Upload | { readonly repository: string },
    announced: number | undefined,
    work: (meter: Meter) => Promise<T>,
  ): Promise<T>
  /** Removes a finished or cancelled upload. */
  closed(id: string): void
}

interface Tracked {
  readonly repository: string
  readonly prefix: string
  bytes: number
  /** Milliseconds since 1970. */
  touched: number
  /** Requests of this instance that are writing to it. */
  busy: number
}

interface Sum {
  uploads: number
  bytes: number
}

/**
 * Creates the ledger of one instance. It counts uploads of other instances by listing the storage: before the
 * first upload, every ten minutes, and before it refuses an upload. In between, several instances together
 * can exceed the limits.
 */
export function createUploadLedger(storage: Storage, limits: UploadLimits): UploadLedger {
  const tracked = new Map<string, Tracked>()
  const total: Sum = { uploads: 0, bytes: 0 }
  /** Largest possible upload. */
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
  const track = ({ id, repository, prefix, offset }: Upload, touched: number): Tracked => {
    const known = tracked.get(id)
    const entry = known ?? { repository, prefix, bytes: 0, touched, busy: 0 }
    add(repository, known === undefined ? 1 : 0, offset - entry.bytes)
    entry.bytes = offset
    entry.touched = Math.max(entry.touched, touched)
    tracked.set(id, entry)
    return entry
  }
  const forget = (id: string): void => {
    const entry = tracked.get(id)
    if (entry === undefined) return
    tracked.delete(id)
    add(entry.repository, -1, -entry.bytes)
  }

  const count = async (): Promise<void> => {
    const begun = Date.now()
    const found = new Set<string>()
    for await (const { upload, touched } of listUploads(storage)) {
      found.add(upload.id)
      track(upload, touched)
    }
    for (const [id, { touched, busy }] of tracked)
      if (!found.has(id) && busy === 0 && touched < begun) forget(id)
    counted = Date.now()
  }
  const recount = async (age: number): Promise<void> => {
    if (Date.now() - counted < age) return
    counting ??= count().finally(() => (counting = undefined))
    await counting
  }

  /** The limit that the additional uploads or bytes would exceed, if any. */
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
   * Removes the upload that was inactive for the longest time, in one repository or in all.
   * @returns false when no upload is idle.
   */
  const removeIdle = async (repository: string | undefined): Promise<boolean> => {
    const latest = Date.now() - IDLE_TIME
    const idle = [...tracked]
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
        // Another instance has continued it.
        entry.touched = now.modified
        continue
      }
      forget(id)
      await closeSession(storage, { prefix: entry.prefix, hasParts: true })
      return true
    }
    return false
  }
  /** Reserves uploads or bytes, removing idle uploads if necessary. @throws 429 */
  const reserve = async (repository: string, more: Sum): Promise<void> => {
    await recount(CENSUS_AGE)
    if (excess(repository, more) !== undefined) await recount(SHORT_CENSUS_AGE)
    for (;;) {
      const limit = excess(repository, more)
      if (limit === undefined) return add(repository, more.uploads, more.bytes)
      const isOwn = limit === 'maxRepositoryUploads' || limit === 'maxRepositoryUploadBytes'
      if (!(await removeIdle(isOwn ? repository : undefined))) throw refused(limit, limits[limit])
    }
  }

  return {
    async open(repository, open) {
      await reserve(repository, { uploads: 1, bytes: 0 })
      try {
        const session = await open()
        track(session, Date.now())
        return session
      } finally {
        add(repository, -1, 0)
      }
    },
    async takeIn(upload, announced, work) {
      const { repository } = upload
      const entry = 'id' in upload ? track(upload, Date.now()) : undefined
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
          // A body that is too large by itself is refused with 413 by its reader.
          if (more <= 0 || before + seen > largest) return
          const limit = excess(repository, { uploads: 0, bytes: more })
          if (limit !== undefined) throw refused(limit, limits[limit])
          add(repository, 0, more)
          reserved += more
        })
        if (entry !== undefined && 'id' in upload && tracked.get(upload.id) === entry)
          track({ ...upload, offset: upload.offset + (result.kept ?? 0) }, Date.now())
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
 * Lists all uploads of a storage. If an upload has more parts than fit on a page, reads its offset from its
 * state instead of listing the rest.
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
    // Continue after all keys of that upload.
    after = `${UPLOADS_PREFIX}${last.upload.id}/~`
  }
}

const REASONS: Readonly<Record<keyof UploadLimits, (most: number) => string>> = {
  maxUploads: (most) => `there are ${most} open uploads, the most that are allowed`,
  maxRepositoryUploads: (most) =>
    `there are ${most} open uploads in this repository, the most that are allowed`,
  maxUploadBytes: (most) => `unfinished uploads are limited to ${most} bytes`,
  maxRepositoryUploadBytes: (most) =>
    `unfinished uploads of one repository are limited to ${most} bytes`,
}

function refused(limit: keyof UploadLimits, most: number): Refusal {
  return new Refusal(
    429,
    {
      code: 'TOOMANYREQUESTS',
      message: `${REASONS[limit](most)}: finish or cancel uploads, or try again later; the operator can raise "${limit}"`,
    },
    { headers: { 'Retry-After': String(RETRY_AFTER) } },
  )
}
