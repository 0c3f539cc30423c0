import { mkdir, readdir, rmdir, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { absent, codeOf } from './system-error.ts'
import { withDescriptor } from './descriptors.ts'

/** Times that a folder which another call removes for being empty is made again. */
const MAX_ATTEMPTS = 20

/** Makes the folder of `path` when it is missing, again if another call removes it for being empty. */
export async function retryWithFolder<T>(path: string, work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      // Making it may fail for the same reason: it is there for `mkdir`, and gone when that looks what it is.
      if (attempt > 0) await mkdir(dirname(path), { recursive: true })
      return await work()
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || attempt >= MAX_ATTEMPTS) throw error
    }
  }
}

export async function removeOlder(folder: string, age: number): Promise<void> {
  const names = (await withDescriptor(() => readdir(folder)).catch(absent)) ?? []
  for (const name of names) {
    const path = join(folder, name)
    const seen = await stat(path).catch(absent)
    if (seen !== undefined && Date.now() - seen.mtimeMs > age) await unlink(path).catch(absent)
  }
}

/** Removes a folder and those above it, up to `root`, as long as they are empty. */
export async function removeEmptyFolders(root: string, folder: string): Promise<void> {
  for (let path = folder; path.length > root.length; path = dirname(path)) {
    try {
      await rmdir(path)
    } catch {
      // Not empty, or another call was faster: either way it stays as it is.
      return
    }
  }
}
