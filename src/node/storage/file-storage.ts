import { createHash, randomUUID } from 'node:crypto'
import { link, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { mapBounded } from '../../bytes/concurrency.ts'
import { sizeOf, streamOf } from '../../bytes/stream.ts'
import { SpindleError } from '../../errors.ts'
import {
  cancelBody,
  assertStorageKey,
  LIST_LIMIT,
  type MovingStorage,
  type PutOptions,
  type StoredHead,
} from '../../serve/storage/port.ts'
import { withFileLock } from '../files/file-lock.ts'
import { HASHED_BYTES, headOf, readPiece } from '../files/file-version.ts'
import { removeEmptyFolders, removeOlder, retryWithFolder } from '../files/folders.ts'
import { createStorageFiles } from './storage-files.ts'
import { namesOfKey } from './storage-path.ts'
import { walkKeys } from './storage-walk.ts'
import { absent, codeOf } from '../files/system-error.ts'
import { openFileLimit } from '../files/descriptors.ts'

const EMPTY = new Uint8Array(0)

/** Maximum open files. A usual limit of 1024 leaves this many beside connections. */
const MAX_OPEN_FILES = 48
/** The part of the process's limit that is for files of one storage. */
const OPEN_FILES_SHARE = 1 / 8
/** Milliseconds after which what an interrupted write left behind is removed. */
const MAX_LEFTOVER_AGE: number = 60 * 60 * 1000

/** Error codes of a full disk, an exceeded quota and a file size limit. */
const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** Up to this size a value is read while its file is open, above it as it is asked for. */
const WHOLE_BYTES = 256 * 1024
/** Entries looked at together when listing. */
const STATS = 16

export interface FileStorageOptions {
  /** Waits until values are on the disk, not only in the system's memory: slower by far. Default false. */
  durable?: boolean
  /** Files open at once; further calls wait. Default 48, or an eighth of what the process may open. */
  maxOpenFiles?: number
  /** Milliseconds after which half-written files of crashed processes are removed. Default one hour. */
  leftoverAge?: number
}

/**
 * A storage in a folder, for any number of processes at once.
 *
 * Exported from `spindle/node`. Values are plain files that appear by `link` or `rename`, whole or
 * not at all; compare-and-set takes a lock file.
 *
 * @example A registry that survives its process
 * ```ts
 * const registry = createRegistryHandler({ storage: createFileStorage('./registry') })
 * ```
 * @param directory Made when the first value is put. What else is in it is left alone.
 */
export function createFileStorage(
  directory: string,
  options: FileStorageOptions = {},
): MovingStorage {
  const {
    durable = false,
    maxOpenFiles = defaultMaxOpenFiles(),
    leftoverAge = MAX_LEFTOVER_AGE,
  } = options
  const root = resolve(directory)
  // No key leads here: names that begin with a dot are escaped.
  const temporary = join(root, '.spindle', 'temporary')
  const locks = join(root, '.spindle', 'locks')
  const files = createStorageFiles({ maxOpenFiles, durable })
  const { withFile } = files
  let nextSweep = 0

  const pathOf = (key: string): string => {
    assertStorageKey(key)
    return join(root, ...namesOfKey(key))
  }
  const lockOf = (key: string): string =>
    join(locks, createHash('sha256').update(key).digest('hex').slice(0, 32))

  const head = async (key: string): Promise<StoredHead | undefined> => {
    try {
      const path = pathOf(key)
      const seen = await stat(path, { bigint: true })
      if (Number(seen.size) > HASHED_BYTES) return headOf(key, seen, undefined)
      if (seen.size === 0n) return headOf(key, seen, EMPTY)
      return await withFile(path, 'r', async (file) => {
        const now = await file.stat({ bigint: true })
        return headOf(
          key,
          now,
          Number(now.size) > HASHED_BYTES ? undefined : await readPiece(file, 0, Number(now.size)),
        )
      })
    } catch (error) {
      return absent(error)
    }
  }

  const syncFolder = async (path: string): Promise<void> => {
    if (durable) await withFile(dirname(path), 'r', (folder) => folder.sync())
  }

  /** Gives the file at `source` the name of a key, if it has none yet. */
  const linkTo = async (source: string, key: string): Promise<boolean> => {
    const path = pathOf(key)
    try {
      await retryWithFolder(path, () => link(source, path))
      return true
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false
      if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP'].includes(String(codeOf(error)))) throw error
    }
    // A file system without links.
    return replace(source, key, async () => (await head(key)) === undefined)
  }

  /** Renames the file at `source` over that of a key, if `holds` while nobody else may write. */
  const replace = (source: string, key: string, holds: () => Promise<boolean>): Promise<boolean> =>
    withFileLock(lockOf(key), async (stillHeld) => {
      if (!(await holds())) return false
      const path = pathOf(key)
      await retryWithFolder(path, async () => {
        if (!stillHeld())
          throw new SpindleError(
            'ERR_TIMEOUT',
            `writing ${JSON.stringify(key)} took too long: nothing was changed; try again`,
          )
        await rename(source, path)
      })
      return true
    })

  const commit = async (
    source: string,
    key: string,
    { ifAbsent = false, ifMatch }: PutOptions,
  ): Promise<boolean> => {
    if (ifAbsent && ifMatch === undefined) return linkTo(source, key)
    return replace(source, key, async () => {
      if (ifMatch === undefined) return true
      return !ifAbsent && (await head(key))?.etag === ifMatch
    })
  }

  const sweep = async (): Promise<void> => {
    if (Date.now() < nextSweep) return
    nextSweep = Date.now() + leftoverAge
    for (const folder of [temporary, locks]) await removeOlder(folder, leftoverAge)
  }

  return {
    head,

    async get(key, { range } = {}) {
      const path = pathOf(key)
      const from = Math.max(range?.offset ?? 0, 0)
      const end = (size: number): number =>
        Math.min(range?.length === undefined ? size : from + range.length, size)
      try {
        return await withFile(path, 'r', async (file) => {
          const seen = await file.stat({ bigint: true })
          const size = Number(seen.size)
          if (size > WHOLE_BYTES)
            return {
              ...headOf(key, seen, undefined),
              body: files.read(path, seen, from, end(size)),
            }
          const bytes = await readPiece(file, 0, size)
          return {
            ...headOf(key, seen, bytes),
            body: streamOf(bytes.subarray(from, Math.max(end(size), from))),
          }
        })
      } catch (error) {
        return absent(error)
      }
    },

    async put(key, body, putOptions = {}) {
      const { ifAbsent = false, ifMatch } = putOptions
      const path = pathOf(key)
      if (ifAbsent || ifMatch !== undefined) {
        const now = await head(key)
        if ((ifAbsent && now !== undefined) || (ifMatch !== undefined && now?.etag !== ifMatch)) {
          await cancelBody(body)
          return { stored: false }
        }
      }
      const source = join(temporary, `${process.pid}-${randomUUID()}`)
      try {
        await sweep()
        await files.write(source, body, sizeOf(body) ?? putOptions.size)
        const seen = await stat(source, { bigint: true })
        const bytes =
          Number(seen.size) > HASHED_BYTES
            ? undefined
            : await withFile(source, 'r', (file) => readPiece(file, 0, Number(seen.size)))
        if (!(await commit(source, key, putOptions))) return { stored: false }
        await syncFolder(path)
        return { stored: true, etag: headOf(key, seen, bytes).etag }
      } catch (error) {
        throw NO_ROOM.has(String(codeOf(error))) ? noRoom(root, error) : error
      } finally {
        await unlink(source).catch(() => {})
      }
    },

    async delete(key) {
      const path = pathOf(key)
      if ((await stat(path).catch(absent)) === undefined) return
      await withFileLock(lockOf(key), async () => {
        await unlink(path).catch(absent)
      })
      await removeEmptyFolders(root, dirname(path))
    },

    async list(prefix, { after = '', limit = LIST_LIMIT } = {}) {
      const keys: string[] = []
      for await (const key of walkKeys(root, prefix, after, files.gate)) {
        keys.push(key)
        if (keys.length > limit) break
      }
      const more = keys.length > limit
      const entries = await mapBounded(keys.slice(0, limit), STATS, async (key) => {
        const seen = await stat(pathOf(key)).catch(absent)
        return seen === undefined ? undefined : { key, size: seen.size, modified: seen.mtimeMs }
      })
      const there = entries.filter((entry) => entry !== undefined)
      // A page of nothing would end a walk: say so only when it is the end.
      return there.length > 0 || !more
        ? { entries: there, more }
        : this.list(prefix, { after: keys[limit - 1]!, limit })
    },

    async move(from, to, { ifAbsent = false } = {}) {
      const source = pathOf(from)
      const seen = await head(from)
      if (seen === undefined) return { stored: false }
      const done = ifAbsent
        ? await linkTo(source, to)
        : await replace(source, to, async () => (await head(from)) !== undefined)
      if (!done) return { stored: false }
      await syncFolder(pathOf(to))
      await unlink(source).catch(absent)
      await removeEmptyFolders(root, dirname(source))
      return { stored: true, etag: seen.etag }
    },
  }
}

function defaultMaxOpenFiles(): number {
  return Math.max(1, Math.min(MAX_OPEN_FILES, Math.floor(openFileLimit() * OPEN_FILES_SHARE)))
}

function noRoom(root: string, cause: unknown): SpindleError {
  return new SpindleError(
    'ERR_LIMIT_EXCEEDED',
    `the disk has no room for it in ${root} (${String(codeOf(cause))}): free some, then try again`,
    { cause },
  )
}
