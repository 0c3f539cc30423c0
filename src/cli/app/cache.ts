import { randomBytes } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Store } from '../../types.ts'
import { createFileCache } from '../../node/files/file-cache.ts'
import { codeOf } from '../../node/files/system-error.ts'
import type { CliIo } from '../terminal/io.ts'
import type { Output } from '../terminal/output.ts'

/** Errors of a cache folder that cannot be written to. The command continues without a cache. */
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
 * Creates a handler for failed writes to a cache. It warns once, and rethrows errors that do not mean
 * that the folder cannot be written to.
 */
export function createCacheWarning(root: string, output: Output): (error: unknown) => void {
  let hasWarned = false
  return (error) => {
    const code = codeOf(error)
    if (!UNWRITABLE.has(code)) throw error
    if (hasWarned) return
    hasWarned = true
    output.warn(
      `cannot write to the cache ${root} (${String(code)}), so nothing is cached: name another folder with --cache-dir`,
    )
  }
}

/** Opens the content cache of a command; `undefined`, after a warning, if it cannot be written to. */
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

/** Like `openCache`, but later writes that fail are skipped after a warning. */
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
