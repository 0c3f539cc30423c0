import { open, readdir, realpath, stat } from 'node:fs/promises'
import { join, resolve, sep } from 'node:path'
import { mapBounded } from '../../bytes/concurrency.ts'
import { streamFrom } from '../../bytes/stream.ts'
import { AppInvalid, SpindleError } from '../../errors.ts'
import { createTreeBuilder, MAX_APP_FILES } from '../../spin/files/tree-builder.ts'
import type { SliceableContent } from '../../bytes/sliceable.ts'
import type { Content, FileTree } from '../../types.ts'
import { withDescriptor } from './descriptors.ts'

export interface ReadDirectoryOptions {
  /** Most files. Default 200000. */
  maxFiles?: number
  /** Most bytes of all files together. Default: unlimited, as they stay where they are. */
  maxBytes?: number
  signal?: AbortSignal | undefined
}

/** Folders listed and files looked at side by side; each takes a file handle or a thread. */
const CONCURRENCY = 16
/** Bytes per read: larger ones are no faster (Node's own streams use the same). */
const CHUNK = 64 * 1024
/** Deepest folder. A loop of links is found before. */
const MAX_DEPTH = 128

/**
 * A folder's files, none of them open: a file is opened when its stream is first read, and closed
 * when that ends, fails or is cancelled.
 *
 * Exported from `spindle/node`. For an application, `openDirectory` reads what its manifest names only.
 *
 * Links are followed, as Spin does, but not out of the folder. What can't be used (a link that leads
 * out, is broken or goes in a circle, a socket, an unreadable file) is in the tree all the same and
 * fails when it is read: an application that doesn't use it isn't stopped by it, and one that does
 * never loses it silently.
 *
 * @example All files of a folder
 * ```ts
 * const files = await readDirectory('./my-app')
 * ```
 *
 * Rejects with `ERR_FILE_MISSING` when there is no such folder, `ERR_LIMIT_EXCEEDED`, and
 * `ERR_APP_INVALID` for names that can't be in an application. Reading fails with
 * `ERR_DIGEST_MISMATCH` when a file has changed since.
 */
export async function readDirectory(
  directory: string,
  options: ReadDirectoryOptions = {},
): Promise<FileTree> {
  const { signal, maxFiles = MAX_APP_FILES } = options
  const root = await realpath(resolve(directory)).catch((cause: unknown) => {
    throw new SpindleError('ERR_FILE_MISSING', `there is no folder "${directory}"`, { cause })
  })
  if (!(await stat(root)).isDirectory()) {
    throw new SpindleError('ERR_FILE_MISSING', `"${directory}" is a file; name the folder it is in`)
  }
  const files: [string, Content][] = []
  let level: Folder[] = [{ path: '', real: root, above: [root] }]
  for (let depth = 0; level.length > 0; depth++) {
    const found = await mapBounded(
      level,
      CONCURRENCY,
      (folder) => list(root, folder, depth),
      signal,
    )
    level = []
    for (const { folders, contents } of found) {
      for (const file of contents) files.push(file)
      for (const folder of folders) level.push(folder)
    }
    // Names alone count here: a folder too large is left before all of it is looked at.
    if (files.length > maxFiles) {
      throw new SpindleError(
        'ERR_LIMIT_EXCEEDED',
        `"${directory}" has more than ${maxFiles} files`,
        { remedy: { option: 'maxFiles', advice: 'leave folders out, or raise %' } },
      )
    }
  }
  const builder = createTreeBuilder({ maxFiles, maxBytes: options.maxBytes })
  files.sort(([a], [b]) => (a < b ? -1 : 1))
  for (const [path, content] of files) builder.add(path, content)
  return builder.tree
}

interface Folder {
  /** The path in the application, with a trailing slash unless it is the root. */
  readonly path: string
  readonly real: string
  /** Real paths on the way here, which a link may not lead back to. */
  readonly above: readonly string[]
}

interface Listing {
  readonly folders: Folder[]
  readonly contents: [string, Content][]
}

async function list(root: string, folder: Folder, depth: number): Promise<Listing> {
  const listing: Listing = { folders: [], contents: [] }
  if (depth > MAX_DEPTH) {
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `folders are nested more than ${MAX_DEPTH} deep at "${folder.path.slice(0, 200)}"`,
    )
  }
  const entries = await withDescriptor(() => readdir(folder.real, { withFileTypes: true })).catch(
    (cause: unknown) => {
      if (cause instanceof SpindleError) throw cause
      throw new SpindleError(
        'ERR_FILE_MISSING',
        `the folder "${folder.path || '.'}" can't be read: ${reasonOf(cause)}`,
        { cause },
      )
    },
  )
  for (const entry of entries) {
    const path = folder.path + entry.name
    const real = join(folder.real, entry.name)
    if (entry.isDirectory()) {
      listing.folders.push({ path: `${path}/`, real, above: [...folder.above, real] })
    } else if (entry.isSymbolicLink()) {
      await follow(root, folder, path, real, listing)
    } else {
      listing.contents.push([path, await contentOf(path, real)])
    }
  }
  return listing
}

async function follow(
  root: string,
  folder: Folder,
  path: string,
  link: string,
  listing: Listing,
): Promise<void> {
  const unusable = (problem: string): void => {
    listing.contents.push([path, refusedContent(path, problem)])
  }
  const real = await realpath(link).catch(() => undefined)
  if (real === undefined) return unusable('is a link to nothing, or to itself')
  if (real !== root && !real.startsWith(root.endsWith(sep) ? root : root + sep)) {
    return unusable('is a link that leads out of the application; put the file itself there')
  }
  const target = await stat(real).catch(() => undefined)
  if (target === undefined) return unusable('is a link to nothing')
  if (!target.isDirectory()) {
    listing.contents.push([path, await contentOf(path, real)])
    return
  }
  if (folder.above.includes(real)) return unusable('is a link to a folder that it is in itself')
  listing.folders.push({ path: `${path}/`, real, above: [...folder.above, real] })
}

/** @internal One file as it is now; its bytes are read when they are asked for. */
export async function contentOf(
  path: string,
  real: string,
): Promise<Content & Partial<SliceableContent>> {
  const found = await stat(real).catch(() => undefined)
  if (found === undefined) return refusedContent(path, 'is gone, or may not be looked at')
  if (!found.isFile()) return refusedContent(path, 'is neither a file nor a folder')
  const { size, mtimeMs } = found
  const file = { path, real, size, mtimeMs }
  return {
    size,
    stream: () => streamFrom(readFile(file, 0, size)),
    slice: (start, end) => ({
      size: end - start,
      stream: () => streamFrom(readFile(file, start, end)),
    }),
  }
}

/** @internal Content that fails when it is read; `problem` is said after "this". */
export function refusedContent(path: string, problem: string): Content {
  return {
    size: 0,
    stream: () =>
      new ReadableStream<Uint8Array>({
        start(controller) {
          controller.error(
            new AppInvalid([{ code: 'file-unusable', message: `this ${problem}`, path }]),
          )
        },
      }),
  }
}

interface FileState {
  readonly path: string
  readonly real: string
  readonly size: number
  readonly mtimeMs: number
}

async function* readFile(
  { path, real, size, mtimeMs }: FileState,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  const changed = (): SpindleError =>
    new SpindleError(
      'ERR_DIGEST_MISMATCH',
      `"${path}" has changed since the folder was read: stop what writes to it, then try again`,
    )
  const file = await withDescriptor(() => open(real)).catch((cause: unknown) => {
    if (cause instanceof SpindleError) throw cause
    throw new SpindleError('ERR_FILE_MISSING', `"${path}" can't be read: ${reasonOf(cause)}`, {
      cause,
    })
  })
  try {
    const now = await file.stat()
    if (now.size !== size || now.mtimeMs !== mtimeMs) throw changed()
    for (let at = start; at < end;) {
      const { bytesRead, buffer } = await file.read(
        new Uint8Array(Math.min(CHUNK, end - at)),
        0,
        null,
        at,
      )
      if (bytesRead === 0) throw changed()
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
    if ((await file.stat()).size !== size) throw changed()
  } finally {
    await file.close()
  }
}

/** @internal What a system error means, in words. */
export function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied'
  if (code === 'ENOENT') return 'it is gone'
  return typeof code === 'string' ? code : String(cause)
}
