import { SpindleError } from '../../errors.ts'
import type { FileTree } from '../../types.ts'
import { createTreeBuilder, type TreeBuilder, type TreeLimits } from '../tree-builder.ts'
import { commonFolder, type UploadedFile } from './files.ts'

/** What of `DataTransfer` is used: hand over `event.dataTransfer` inside the drop handler. */
export interface DropData {
  readonly items: ArrayLike<{ readonly kind: string; webkitGetAsEntry?(): object | null }>
}

// The File and Directory Entries API, as far as it is used. @see https://wicg.github.io/entries-api/
interface Entry {
  readonly isFile: boolean
  readonly name: string
}
interface FileEntry extends Entry {
  file(done: (file: UploadedFile) => void, failed: (error: unknown) => void): void
}
interface DirectoryEntry extends Entry {
  createReader(): {
    readEntries(done: (batch: Entry[]) => void, failed: (error: unknown) => void): void
  }
}

const MAX_DEPTH = 128

/**
 * What was dropped on a page: files and folders, mixed.
 *
 * Entries are taken before the first `await`, as the browser empties the `DataTransfer` when the
 * drop handler returns. A single folder's own name is dropped, as for a chosen folder.
 */
export function readDrop(
  drop: DropData,
  limits: TreeLimits,
  signal?: AbortSignal,
): Promise<readonly [FileTree, UploadedFile | undefined]> {
  const entries: Entry[] = []
  for (let i = 0; i < drop.items.length; i++) {
    const item = drop.items[i]
    if (item?.kind !== 'file') continue
    const entry = item.webkitGetAsEntry?.() as Entry | null | undefined
    if (entry) entries.push(entry)
  }
  if (entries.length === 0) {
    throw new SpindleError(
      'ERR_FILE_MISSING',
      'nothing was dropped that is a file or a folder; hand event.dataTransfer over inside the drop handler, before any await',
    )
  }
  return collect(entries, limits, signal)
}

async function collect(
  entries: readonly Entry[],
  limits: TreeLimits,
  signal: AbortSignal | undefined,
): Promise<readonly [FileTree, UploadedFile | undefined]> {
  const found = new Map<string, UploadedFile>()
  const files = createTreeBuilder(limits)
  const keep: TreeBuilder = {
    tree: files.tree,
    add(path, content) {
      files.add(path, content)
      found.set(path, content as UploadedFile)
    },
  }
  for (const entry of entries) await walk(entry, '', 0, keep, signal)
  const only =
    entries.length === 1 && entries[0]?.isFile === true ? [...found.values()][0] : undefined
  const top = commonFolder([...found.keys()])
  if (top === '') return [files.tree, only]
  const stripped = createTreeBuilder(limits)
  for (const [path, file] of found) stripped.add(path.slice(top.length), file)
  return [stripped.tree, only]
}

async function walk(
  entry: Entry,
  prefix: string,
  depth: number,
  builder: TreeBuilder,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted()
  const path = prefix + entry.name
  if (depth > MAX_DEPTH)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `folders are nested more than ${MAX_DEPTH} deep at "${path.slice(0, 200)}": is there a loop of links?`,
    )
  if (entry.isFile) {
    builder.add(path, await settle(path, (done, failed) => (entry as FileEntry).file(done, failed)))
    return
  }
  const reader = (entry as DirectoryEntry).createReader()
  // Chromium hands over 100 at a time; only an empty batch means the end.
  for (;;) {
    const batch = await settle<Entry[]>(path, (done, failed) => reader.readEntries(done, failed))
    if (batch.length === 0) return
    for (const child of batch) await walk(child, `${path}/`, depth + 1, builder, signal)
  }
}

function settle<T>(
  path: string,
  start: (done: (value: T) => void, failed: (error: unknown) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    start(resolve, (cause) => {
      reject(
        new SpindleError(
          'ERR_FILE_MISSING',
          `"${path}" can't be read: it was moved, deleted or locked since it was dropped; drop it again`,
          { cause },
        ),
      )
    })
  })
}
