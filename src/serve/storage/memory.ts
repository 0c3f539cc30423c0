import { SpindleError } from '../../errors.ts'
import { chunksOf, createCollector, openStream, sizeOf, streamOf } from '../../bytes/stream.ts'
import {
  cancelBody,
  createValueSizeCheck,
  assertStorageKey,
  LIST_LIMIT,
  type MovingStorage,
  type PutResult,
  type StorageBody,
  type StoredHead,
  type StoredInfo,
} from './port.ts'

/** Largest sum of all values in bytes: browsers and Workers terminate pages that use too much memory. */
const MAX_MEMORY_STORAGE_BYTES: number = 1024 * 1024 * 1024

/** Approximate overhead of a value in engines, in addition to its bytes and key. */
const ENTRY_BYTES = 200

/** Chunk size of reads in bytes: the whole of a large value is never copied for one reader. */
const CHUNK_BYTES = 256 * 1024

/** Options of `createMemoryStorage`. */
export interface MemoryStorageOptions {
  /**
   * Largest sum of all values in bytes, counting 200 bytes and the key for each value; a `put` beyond it
   * rejects with `ERR_LIMIT_EXCEEDED`. Default 1 GiB.
   */
  maxBytes?: number
}

interface Value extends StoredHead {
  readonly bytes: Uint8Array
}

/**
 * Creates a storage in memory, which lasts as long as the process, page or isolate.
 *
 * Exported from `spindle/serve`.
 *
 * @example Two registries over the same content
 * ```ts
 * const storage = createMemoryStorage()
 * const writable = createRegistryHandler({ storage })
 * const mirror = createRegistryHandler({ storage, readOnly: true })
 * ```
 */
export function createMemoryStorage(options: MemoryStorageOptions = {}): MovingStorage {
  const maxBytes = options.maxBytes ?? MAX_MEMORY_STORAGE_BYTES
  const values = new Map<string, Value>()
  // Keys in order, for listing; `undefined` after keys were added or removed.
  let sorted: string[] | undefined
  let used = 0
  /** Bytes of bodies being received; they count towards `maxBytes`. */
  let incoming = 0
  // Source of etags: a value that is deleted and put again gets a new one.
  let version = 0

  const keys = (): readonly string[] => (sorted ??= [...values.keys()].sort())

  const write = (key: string, bytes: Uint8Array): PutResult => {
    const etag = String(++version)
    const before = values.get(key)
    if (before === undefined) sorted = undefined
    used += costOf(key, bytes.length) - (before === undefined ? 0 : costOf(key, before.size))
    values.set(key, { key, size: bytes.length, modified: Date.now(), etag, bytes })
    return { stored: true, etag }
  }
  const remove = (key: string): void => {
    const before = values.get(key)
    if (before === undefined) return
    values.delete(key)
    used -= costOf(key, before.size)
    sorted = undefined
  }

  return {
    async get(key, { range } = {}) {
      assertStorageKey(key)
      const value = values.get(key)
      if (value === undefined) return undefined
      const { bytes, ...head } = value
      const start = Math.min(range?.offset ?? 0, bytes.length)
      const end = Math.min(start + (range?.length ?? bytes.length), bytes.length)
      return { ...head, body: streamCopies(bytes.subarray(start, end)) }
    },

    async head(key) {
      assertStorageKey(key)
      const value = values.get(key)
      if (value === undefined) return undefined
      const { bytes: _, ...head } = value
      return head
    },

    async put(key, body, { ifAbsent = false, ifMatch, size } = {}) {
      assertStorageKey(key)
      const conditionHolds = (): boolean =>
        !(ifAbsent && values.has(key)) &&
        (ifMatch === undefined || values.get(key)?.etag === ifMatch)
      if (!conditionHolds()) {
        await cancelBody(body)
        return { stored: false }
      }
      let counted = 0
      const bytes = await collect(body, size, (more) => {
        if (used + incoming + more > maxBytes) throw full(maxBytes)
        incoming += more
        counted += more
      }).finally(() => (incoming -= counted))
      // Check again: another call may have written meanwhile. From here on everything is synchronous.
      if (!conditionHolds()) return { stored: false }
      const before = values.get(key)
      const freed = before === undefined ? 0 : costOf(key, before.size)
      if (used + costOf(key, bytes.length) - freed > maxBytes) throw full(maxBytes)
      return write(key, bytes)
    },

    async delete(key) {
      assertStorageKey(key)
      remove(key)
    },

    async list(prefix, { after = '', limit = LIST_LIMIT } = {}) {
      const all = keys()
      const entries: StoredInfo[] = []
      for (let i = firstAfter(all, prefix, after); i < all.length; i++) {
        const key = all[i]!
        if (!key.startsWith(prefix)) break
        if (entries.length === limit) return { entries, more: true }
        const { size, modified } = values.get(key)!
        entries.push({ key, size, modified })
      }
      return { entries, more: false }
    },

    async move(from, to, { ifAbsent = false } = {}) {
      assertStorageKey(from)
      assertStorageKey(to)
      const value = values.get(from)
      if (value === undefined || (ifAbsent && values.has(to))) return { stored: false }
      remove(from)
      return write(to, value.bytes)
    },
  }
}

function costOf(key: string, bytes: number): number {
  return bytes + key.length + ENTRY_BYTES
}

/** Index of the first key that is greater than `after` and not less than `prefix`. */
function firstAfter(keys: readonly string[], prefix: string, after: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const key = keys[middle]!
    if (key < prefix || (after !== '' && key <= after)) low = middle + 1
    else high = middle
  }
  return low
}

/** Buffers a body; calls `count` with the size of each chunk. */
async function collect(
  body: StorageBody,
  size: number | undefined,
  count: (bytes: number) => void,
): Promise<Uint8Array> {
  // Copy, because the caller can modify its array later.
  if (body instanceof Uint8Array) return body.slice()
  const expected = sizeOf(body) ?? size
  const check = createValueSizeCheck(expected)
  const collector = createCollector()
  for await (const chunk of chunksOf(openStream(body))) {
    collector.add(chunk)
    check.add(chunk.length)
    count(chunk.length)
  }
  check.end()
  return collector.take()
}

function full(bytes: number): SpindleError {
  return new SpindleError(
    'ERR_LIMIT_EXCEEDED',
    `the memory storage is full (limit: ${bytes} bytes): raise maxBytes or use another storage`,
  )
}

function streamCopies(bytes: Uint8Array): ReadableStream<Uint8Array> {
  if (bytes.length <= CHUNK_BYTES) return streamOf(bytes.slice())
  let at = 0
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        controller.enqueue(bytes.slice(at, at + CHUNK_BYTES))
        at += CHUNK_BYTES
        if (at >= bytes.length) controller.close()
      },
    },
    { highWaterMark: 0 },
  )
}
