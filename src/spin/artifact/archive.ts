import { createPortableHasher, formatDigest } from '../../bytes/digest.ts'
import { streamFrom, concat, readBounded } from '../../bytes/stream.ts'
import { gzip } from '../../bytes/gzip.ts'
import { quotePath } from '../../bytes/path.ts'
import { type TarFile, writeTar } from '../../bytes/tar.ts'
import { AppInvalid } from '../../errors.ts'
import type { Content, CreateHasher, Digest } from '../../types.ts'

/** Archives up to this size are kept; larger ones are made anew when they are sent. */
const HELD_BYTES = 32 * 1024 * 1024

/** Files read ahead at once: what Workers open to one host. Six of this size are 6 MiB. */
const AHEAD = 6
const AHEAD_BYTES = 1024 * 1024

interface ArchiveResult {
  readonly content: Uint8Array | Content
  readonly digest: Digest
  readonly size: number
}

/** One component's files as tar in gzip, sorted by path, with the same bytes everywhere. */
export async function packArchive(
  files: readonly TarFile[],
  place: string,
  options: { signal?: AbortSignal | undefined; createHasher?: CreateHasher | undefined },
): Promise<ArchiveResult> {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
  assertUnpackable(sorted, place)
  const hasher = (options.createHasher ?? createPortableHasher)('sha256')
  let held: Uint8Array[] | undefined = []
  let size = 0
  for await (const chunk of gzip(writeTar(readAhead(sorted, options.signal), options.signal))) {
    await hasher.update(chunk)
    size += chunk.length
    if (size > HELD_BYTES) held = undefined
    held?.push(chunk)
  }
  const digest = formatDigest('sha256', await hasher.digest())
  const content =
    held === undefined
      ? { size, stream: () => streamFrom(gzip(writeTar(readAhead(sorted)))) }
      : concat(held, size)
  return { content, digest, size }
}

/**
 * The files in order, small ones already read: a few are fetched while one is written, since each
 * may be a request to a server.
 */
async function* readAhead(
  files: readonly TarFile[],
  signal?: AbortSignal,
): AsyncGenerator<TarFile> {
  const read = async ({ path, content }: TarFile): Promise<TarFile> => {
    if (content instanceof Uint8Array || content.size > AHEAD_BYTES) return { path, content }
    return { path, content: await readBounded(content, content.size, quotePath(path), signal) }
  }
  const queue: Promise<TarFile>[] = []
  let next = 0
  try {
    while (next < files.length || queue.length > 0) {
      while (next < files.length && queue.length < AHEAD) {
        const reading = read(files[next++] as TarFile)
        // Its failure counts when its turn comes.
        reading.catch(() => {})
        queue.push(reading)
      }
      yield await (queue.shift() as Promise<TarFile>)
    }
  } finally {
    await Promise.allSettled(queue)
  }
}

function assertUnpackable(sorted: readonly TarFile[], place: string): void {
  const paths = new Set<string>()
  for (const { path } of sorted) {
    if (paths.has(path))
      throw new AppInvalid([
        {
          code: 'duplicate-path',
          message: `${place} has two files at "${path}": map one of them elsewhere`,
        },
      ])
    paths.add(path)
  }
  for (const { path } of sorted) {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const folder = path.slice(0, end)
      if (paths.has(folder))
        throw new AppInvalid([
          {
            code: 'duplicate-path',
            message: `${place} has both a file and a folder at "${folder}": map one of them elsewhere`,
          },
        ])
    }
  }
}
