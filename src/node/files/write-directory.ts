import { randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import { forEachBounded } from '../../bytes/concurrency.ts'
import { normalizePath, quotePath } from '../../bytes/path.ts'
import { chunksOf, openStream } from '../../bytes/stream.ts'
import { SpindleError } from '../../errors.ts'
import type { FileTree, OperationOptions } from '../../types.ts'
import { writeThrough } from './bounded-file.ts'
import { writeChunks } from './write-chunks.ts'

/** Files written side by side, each with the one that it is read from. */
const CONCURRENCY = 8

/**
 * Writes files below a folder, each whole or not at all; what is there under the same name is
 * replaced, all else left alone.
 *
 * Exported from `spindle/node`.
 *
 * @example A standalone bindle
 * ```ts
 * await writeDirectory('./staging', await prepareBindle(app))
 * ```
 * @param directory Made when it isn't there.
 * @throws `ERR_CONTENT_INVALID` for a path that leads out of the folder, before anything is written
 */
export async function writeDirectory(
  directory: string,
  files: FileTree,
  options: OperationOptions = {},
): Promise<void> {
  const root = resolve(directory)
  for (const path of files.keys()) {
    const result = normalizePath(path)
    if ('problem' in result || result.path !== path)
      throw new SpindleError(
        'ERR_CONTENT_INVALID',
        `${quotePath(path)} can't be written below ${directory}: it ${'problem' in result ? result.problem : 'is not in its plain form'}`,
      )
  }
  await forEachBounded(
    files,
    CONCURRENCY,
    async ([path, content], signal) => {
      const target = join(root, ...path.split('/'))
      const temporary = `${target}.${randomBytes(6).toString('hex')}.partial`
      await writeThrough(temporary, target, undefined, (file) =>
        writeChunks(file, chunksOf(openStream(content), signal)),
      )
    },
    options.signal,
  )
}
