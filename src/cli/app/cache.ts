import { randomBytes } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Store } from '../../types.ts'
import { createFileCache } from '../../node/files/file-cache.ts'
import { codeOf } from '../../node/files/system-error.ts'
import type { CliIo } from '../terminal/io.ts'
import type { Output } from '../terminal/output.ts'

/** What a disk refuses a write with. A cache is a saving: a command goes on without it. */
const UNWRITABLE: ReadonlySet<unknown> = new Set([
  'EACCES',
  'EDQUOT',
  'EEXIST',
  'EISDIR',
  'ELOOP',
  'ENAMETOOLONG',
  'ENOENT',
  'ENOSPC',
  'ENOTDIR',
  'EPERM',
  'EROFS',
])

/**
 * Makes what is called with the failure of a write to a cache. It warns once, and throws what is not
 * the disk's refusal.
 */
export function createCacheWarning(root: string, output: Output): (error: unknown) => void {
  let isSaid = false
  return (error) => {
    const code = codeOf(error)
    if (!UNWRITABLE.has(code)) throw error
    if (isSaid) return
    isSaid = true
    output.warn(
      `cannot write to the cache ${root} (${String(code)}), so nothing is cached: name another folder with --cache-dir`,
    )
  }
}

/** A cache of content for a command; `undefined`, after a warning, where nothing can be written. */
export async function openCache(
  root: string,
  io: CliIo,
  output: Output,
): Promise<Store | undefined> {
  const folder = join(root, 'registry')
  const probe = join(folder, `.${randomBytes(6).toString('hex')}.tmp`)
  const warn = createCacheWarning(root, output)
  try {
    await mkdir(folder, { recursive: true })
    await writeFile(probe, 'probe', { flag: 'wx' })
  } catch (error) {
    warn(error)
    return undefined
  } finally {
    await rm(probe, { force: true }).catch(() => {})
  }
  return createFileCache(root, io.platform)
}

/** The same, for a caller that keeps what it has pushed: what the disk refuses later is not kept. */
export async function openOptionalCache(
  root: string,
  io: CliIo,
  output: Output,
): Promise<Store | undefined> {
  const cache = await openCache(root, io, output)
  if (cache === undefined) return undefined
  const warn = createCacheWarning(root, output)
  return {
    ...cache,
    push: async (target, body, options) => cache.push(target, body, options).catch(warn),
  }
}
