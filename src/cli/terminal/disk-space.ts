import { statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { isSpindleError, SpindleError } from '../../errors.ts'

/** A folder that is written to, and the option that changes it. */
export interface DiskPlace {
  readonly folder: string
  readonly option: 'cacheDir' | 'output'
}

/**
 * Runs `work` with the maximum size of an application that is written to disk: the free space of
 * the fullest folder. An error about that limit advises to free space, because no flag can raise it.
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

/** Free bytes on the disk of a folder, which need not exist yet. */
async function freeSpace(folder: string): Promise<number> {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const found = await statfs(at).catch(() => undefined)
    if (found !== undefined) return found.bavail * found.bsize
    if (dirname(at) === at) return Infinity
  }
}
