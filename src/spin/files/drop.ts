import { SpindleError } from '../../errors.ts'
import type { UploadedFile } from './files.ts'
import { type SourceFolder, twice } from './source-folder.ts'

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

/**
 * What was dropped on a page: files and folders, mixed. `only` gives the file that was dropped alone.
 *
 * Entries are taken at once, as the browser empties the `DataTransfer` when the drop handler returns.
 * A single folder's own name is dropped, as for a chosen folder.
 */
export function openDrop(drop: DropData): {
  readonly folder: SourceFolder
  readonly only: (() => Promise<UploadedFile>) | undefined
} {
  const entries: Entry[] = []
  for (let i = 0; i < drop.items.length; i++) {
    const item = drop.items[i]
    if (item?.kind !== 'file') continue
    const entry = item.webkitGetAsEntry?.() as Entry | null | undefined
    if (entry) entries.push(entry)
  }
  const [first, another] = entries
  if (first === undefined) {
    throw new SpindleError(
      'ERR_FILE_MISSING',
      'nothing was dropped that is a file or a folder; hand event.dataTransfer over inside the drop handler, before any await',
    )
  }
  const isAlone = another === undefined
  return {
    folder:
      isAlone && !first.isFile
        ? folderOf(() => readAll(first as DirectoryEntry, first.name), '')
        : folderOf(async () => entries, ''),
    only: isAlone && first.isFile ? () => fileOf(first as FileEntry, first.name) : undefined,
  }
}

function folderOf(read: () => Promise<readonly Entry[]>, prefix: string): SourceFolder {
  let listed: Promise<ReadonlyMap<string, Entry>> | undefined
  const again = new Set<string>()
  const list = (): Promise<ReadonlyMap<string, Entry>> =>
    (listed ??= read().then((entries) => {
      const byName = new Map<string, Entry>()
      for (const entry of entries) {
        if (byName.has(entry.name)) again.add(entry.name)
        byName.set(entry.name, entry)
      }
      return byName
    }))
  return {
    kind: 'folder',
    names: async () => [...(await list()).keys()],
    async find(name) {
      const entry = (await list()).get(name)
      if (entry === undefined) return undefined
      const path = prefix + name
      if (again.has(name)) throw twice(path)
      return entry.isFile
        ? { kind: 'file', open: () => fileOf(entry as FileEntry, path) }
        : folderOf(() => readAll(entry as DirectoryEntry, path), `${path}/`)
    },
  }
}

function fileOf(entry: FileEntry, path: string): Promise<UploadedFile> {
  return settle(path, (done, failed) => entry.file(done, failed))
}

async function readAll(entry: DirectoryEntry, path: string): Promise<readonly Entry[]> {
  const reader = entry.createReader()
  const all: Entry[] = []
  // Chromium hands over 100 at a time; only an empty batch means the end.
  for (;;) {
    const batch = await settle<Entry[]>(path, (done, failed) => reader.readEntries(done, failed))
    if (batch.length === 0) return all
    all.push(...batch)
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
