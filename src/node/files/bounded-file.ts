import { randomBytes } from 'node:crypto'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { type FileHandle, open, realpath, rename, rm } from 'node:fs/promises'
import { SpindleError } from '../../errors.ts'
import { retryWithFolder } from './folders.ts'
import { isMissing, withPath } from './system-error.ts'
import { withDescriptor } from './descriptors.ts'

/**
 * A whole file of at most `limit` bytes, or `undefined` when there is none.
 *
 * Only as much as allowed is read, whatever the file's size says: it may be a device or grow.
 * @throws `ERR_LIMIT_EXCEEDED`, or the system error for a file that cannot be read.
 */
export async function readFileBounded(
  path: string,
  limit: number,
): Promise<Uint8Array | undefined> {
  let file
  try {
    file = await withDescriptor(() => open(path, 'r'))
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  try {
    const chunks: Uint8Array[] = []
    let size = 0
    for (;;) {
      const { bytesRead, buffer } = await file.read({ buffer: new Uint8Array(64 * 1024) })
      if (bytesRead === 0) break
      size += bytesRead
      if (size > limit)
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          `${path} is longer than ${limit} bytes: is it the file that is meant?`,
        )
      chunks.push(buffer.subarray(0, bytesRead))
    }
    const bytes = new Uint8Array(size)
    let at = 0
    for (const chunk of chunks) {
      bytes.set(chunk, at)
      at += chunk.length
    }
    return bytes
  } catch (error) {
    throw withPath(error, path)
  } finally {
    await file.close()
  }
}

/**
 * Replaces a file whole, so that a reader sees the old bytes or the new ones and a crash leaves
 * one of them; folders are made, and a link is followed to what it names. `mode` is for the file.
 */
export async function writeFileAtomic(
  path: string,
  bytes: Uint8Array,
  mode: number,
): Promise<void> {
  const target = await realpath(path).catch((error: unknown) => {
    if (isMissing(error)) return path
    throw error
  })
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`
  await writeThrough(temporary, target, mode, async (file) => {
    await file.writeFile(bytes)
    await file.sync()
  })
}

/**
 * Writes a file that is not there yet and gives it its name, over an older one; its folder is made
 * when it is missing. Leaves nothing when that fails.
 */
export async function writeThrough(
  temporary: string,
  path: string,
  mode: number | undefined,
  write: (file: FileHandle) => Promise<unknown>,
): Promise<void> {
  // `wx`: a link that was created in the meantime is not followed.
  const file = await retryWithFolder(temporary, () =>
    withDescriptor(() => open(temporary, 'wx', mode)),
  )
  try {
    try {
      await write(file)
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw withPath(error, path)
  }
}

/** Like `writeThrough`, but synchronous, and in an existing folder. */
export function writeThroughSync(
  temporary: string,
  path: string,
  bytes: Uint8Array,
  mode?: number,
): void {
  try {
    writeFileSync(temporary, bytes, { flag: 'wx', mode })
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}
