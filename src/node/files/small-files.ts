import { readFileSync, statSync } from 'node:fs'
import { readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'
import { writeThroughSync } from './bounded-file.ts'
import { absent } from './system-error.ts'
import { isOutOfDescriptors, withDescriptor } from './descriptors.ts'

/** Files up to this size are read and written whole. */
export const SMALL_BYTES: number = 64 * 1024

/** After so many files it is looked at how long they took. */
const SAMPLE = 32
/** Milliseconds that a file may take on average; one in memory or on a disk takes less than 0.1. */
const SLOW = 1
/** Files that are left to threads after a slow sample. */
const LEFT_TO_THREADS = 256

/** Small files of one folder. */
export interface SmallFiles {
  /** All bytes of a small file, or the size of a larger one; `undefined` when there is none. */
  read(path: string): Promise<Uint8Array | number | undefined>
  has(path: string): Promise<boolean>
  /** Writes a new file and gives it its name, over an older one: it appears whole or not at all. */
  write(temporary: string, path: string, bytes: Uint8Array): Promise<void>
}

type Now = {
  readonly [K in keyof SmallFiles]: (
    ...args: Parameters<SmallFiles[K]>
  ) => Awaited<ReturnType<SmallFiles[K]>>
}

/**
 * Small files without threads, as long as that is quick: to hand work to one of Node's threads costs
 * 100 µs where all cores are busy, and a file takes four or five pieces of it; done at once it takes
 * 30 µs (measured). On a slow disk, as one behind a network, threads do it.
 * @param now Milliseconds, for tests.
 */
export function createSmallFiles(now: () => number = () => performance.now()): SmallFiles {
  let spent = 0
  let sampled = 0
  let left = 0
  /** Whether the next file is one for a thread. */
  const isSlow = (): boolean => {
    if (left === 0) return false
    left--
    return true
  }
  const timed = <T>(work: () => T): T => {
    const began = now()
    try {
      return work()
    } finally {
      spent += now() - began
      if (++sampled === SAMPLE) {
        if (spent > SAMPLE * SLOW) left = LEFT_TO_THREADS
        spent = sampled = 0
      }
    }
  }
  /** At once; by a thread when that was slow, or when there is no descriptor and one must be waited for. */
  const orLater = async <K extends keyof SmallFiles>(
    name: K,
    ...args: Parameters<SmallFiles[K]>
  ): Promise<Awaited<ReturnType<SmallFiles[K]>>> => {
    const later = inThreads[name] as (...args: unknown[]) => Promise<never>
    const now = atOnce[name] as (...args: unknown[]) => Awaited<ReturnType<SmallFiles[K]>>
    if (isSlow()) return later(...args)
    try {
      return timed(() => now(...args))
    } catch (error) {
      if (!isOutOfDescriptors(error)) throw error
      return later(...args)
    }
  }
  return {
    read: (path) => orLater('read', path),
    has: (path) => orLater('has', path),
    write: (temporary, path, bytes) => orLater('write', temporary, path, bytes),
  }
}

const atOnce: Now = {
  read(path) {
    const size = sizeNow(path)
    return size === undefined || size > SMALL_BYTES ? size : plain(readFileSync(path))
  },
  has: (path) => sizeNow(path) !== undefined,
  write: writeThroughSync,
}

const inThreads: SmallFiles = {
  async read(path) {
    const size = await sizeInThread(path)
    return size === undefined || size > SMALL_BYTES
      ? size
      : plain(await withDescriptor(() => readFile(path)))
  },
  has: async (path) => (await sizeInThread(path)) !== undefined,
  async write(temporary, path, bytes) {
    try {
      await withDescriptor(() => writeFile(temporary, bytes, { flag: 'wx' }))
      await rename(temporary, path)
    } catch (error) {
      await unlink(temporary).catch(() => {})
      throw error
    }
  },
}

function sizeNow(path: string): number | undefined {
  try {
    // Told, not thrown: errors are dear, and most files that are asked for are not there yet.
    const found = statSync(path, { throwIfNoEntry: false })
    return found?.isFile() === true ? found.size : undefined
  } catch (error) {
    return absent(error)
  }
}

async function sizeInThread(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(absent)
  return found?.isFile() === true ? found.size : undefined
}

/** Without the methods of a `Buffer`, whose `slice` shares memory. */
function plain({ buffer, byteOffset, byteLength }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
