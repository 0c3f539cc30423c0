import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { normalizePath, quotePath } from '../../bytes/path.ts'
import { chunksOf, openStream } from '../../bytes/stream.ts'
import { SpindleError } from '../../errors.ts'
import type { BodySource, OperationOptions } from '../../types.ts'
import { writeChunks } from '../../node/files/write-chunks.ts'
import { CommandError } from '../terminal/io.ts'
import { codeOf, isMissing } from '../../node/files/system-error.ts'
import { withDescriptor } from '../../node/files/descriptors.ts'

export interface WrittenFolder {
  readonly files: number
  readonly bytes: number
}

/**
 * Creates a folder with the files that `fill` writes, by paths relative to it.
 *
 * The folder must be empty or missing: files of the user are never overwritten or mixed with content
 * from a registry. The folder appears complete or not at all.
 */
export async function writeFolder(
  directory: string,
  platform: string,
  { signal }: OperationOptions,
  fill: (write: (path: string, body: BodySource) => Promise<void>) => Promise<void>,
): Promise<WrittenFolder> {
  await assertVacant(directory)
  await mkdir(dirname(directory), { recursive: true })
  // Next to the target, so that it can be renamed; new, so that it contains no symbolic links.
  const temporary = join(
    dirname(directory),
    `.${basename(directory)}.${randomBytes(6).toString('hex')}.partial`,
  )
  await mkdir(temporary)
  const written = { files: 0, bytes: 0 }
  try {
    await fill(async (path, body) => {
      const target = join(temporary, ...safeNames(path, platform))
      await mkdir(dirname(target), { recursive: true })
      const bytes = await writeNew(target, body, path, signal)
      written.bytes += bytes
      written.files++
    })
    signal?.throwIfAborted()
    // Windows cannot rename to an existing folder, even an empty one.
    await rmdir(directory).catch((error: unknown) => {
      if (!isMissing(error)) throw error
    })
    await rename(temporary, directory)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    throw error
  }
  return written
}

/** Refuses a folder that is not empty. */
export async function assertVacant(directory: string): Promise<void> {
  let names: string[]
  try {
    names = await withDescriptor(() => readdir(directory))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    if (codeOf(error) !== 'ENOTDIR') throw error
    throw new CommandError(`${directory} is a file, or inside one; name a new folder`)
  }
  if (names.length > 0)
    throw new CommandError(`${directory} is not empty; remove it, or name a new folder`)
}

function safeNames(path: string, platform: string): readonly string[] {
  const result = normalizePath(path)
  const problem =
    'problem' in result
      ? result.problem
      : result.path !== path
        ? 'is not a normalized path'
        : platform === 'win32'
          ? problemOnWindows(path)
          : undefined
  if (problem !== undefined) {
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the application has a file ${quotePath(path)}, which ${problem}; nothing was written`,
    )
  }
  return path.split('/')
}

/** Names that Windows treats as devices or streams, or changes. */
function problemOnWindows(path: string): string | undefined {
  const isBad = path
    .split('/')
    .some(
      (name) =>
        /[<>:"|?*]|[. ]$/.test(name) || /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i.test(name),
    )
  return isBad ? 'is not a valid file name on Windows' : undefined
}

async function writeNew(
  target: string,
  body: BodySource,
  path: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  // `wx`: two names that are equal on the file system must not become one file.
  const file = await withDescriptor(() => open(target, 'wx')).catch((cause: unknown) => {
    if ((cause as { code?: unknown }).code !== 'EEXIST') throw cause
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the application has two files whose names are the same on this file system, the second is ${quotePath(path)}; nothing was written`,
      { cause },
    )
  })
  try {
    return await writeChunks(file, chunksOf(openStream(body), signal))
  } finally {
    await file.close()
  }
}
