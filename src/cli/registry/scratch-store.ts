import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Store } from '../../types.ts'
import { createFileCache } from '../../node/files/file-cache.ts'

/**
 * Runs `work` with a store on the disk of `directory`, for content that is too large to
 * hold in memory. The store is removed at the end.
 */
export async function withScratchStore<T>(
  directory: string,
  platform: string,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  await mkdir(dirname(directory), { recursive: true })
  const folder = await mkdtemp(join(dirname(directory), `.${basename(directory)}.content-`))
  try {
    return await work(createFileCache(folder, platform))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
