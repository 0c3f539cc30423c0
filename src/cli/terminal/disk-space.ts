import { statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { isSpindleError, SpindleError } from '../../errors.ts'

/** A folder that is written to, and the option that names another one. */
export interface DiskPlace {
  readonly folder: string
  readonly option: 'cacheDir' | 'output'
}

/**
 * Runs `work` with the bytes that an application may have where it is written to disk: what is free in
 * the fullest of the places. No flag makes a disk larger, so beyond that the error is about space.
 * @param given The limit of the user, which replaces that of the disks.
 */
export async function withinDisk<T>(
  given: number | undefined,
  places: readonly DiskPlace[],
  work: (maxBytes: number) => Promise<T>,
): Promise<T> {
  if (given !== undefined) return work(given)
  const free = await Promise.all(places.map(({ folder }) => freeSpace(folder)))
  const maxBytes = Math.min(...free)
  try {
    return await work(maxBytes)
  } catch (cause) {
    const fullest = places[free.indexOf(maxBytes)]
    if (fullest === undefined || !isSpindleError(cause) || cause.remedy?.option !== 'maxBytes')
      throw cause
    const { folder, option } = fullest
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `${cause.problem}, which is all the free space at ${folder}`,
      {
        cause,
        remedy: { option, advice: 'free some space, or name a folder on another disk with %' },
      },
    )
  }
}

/** In bytes, where a folder is or will be made. */
async function freeSpace(folder: string): Promise<number> {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const found = await statfs(at).catch(() => undefined)
    if (found !== undefined) return found.bavail * found.bsize
    if (dirname(at) === at) return Infinity
  }
}
