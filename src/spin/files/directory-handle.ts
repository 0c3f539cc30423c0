import { SpindleError } from '../../errors.ts'
import type { SourceEntry, SourceFolder } from './source-folder.ts'
import type { UploadedFile } from './files.ts'

/** What of `FileSystemDirectoryHandle` is used; the DOM's own type fits. */
export interface DirectoryHandle {
  readonly kind: 'directory'
  readonly name: string
  /** Plain `FileSystemHandle`s in the DOM's typing; told apart by `kind`. */
  entries(): AsyncIterable<[string, { readonly kind: string; readonly name: string }]>
}

interface FileHandle {
  getFile(): Promise<UploadedFile>
}

type Child = { readonly kind: string; readonly name: string }

/** A folder that the user opened, e.g. with `showDirectoryPicker()` or from the origin's private files. */
export function openDirectoryHandle(
  handle: DirectoryHandle,
  signal?: AbortSignal,
  prefix = '',
): SourceFolder {
  let listed: Promise<ReadonlyMap<string, Child>> | undefined
  const list = (): Promise<ReadonlyMap<string, Child>> =>
    (listed ??= allowed(
      prefix || handle.name,
      async () => {
        const found = new Map<string, Child>()
        for await (const [, child] of handle.entries()) {
          signal?.throwIfAborted()
          found.set(child.name, child)
        }
        return found
      },
      signal,
    ))
  return {
    kind: 'folder',
    names: async () => [...(await list()).keys()],
    async find(name): Promise<SourceEntry | undefined> {
      const child = (await list()).get(name)
      if (child === undefined) return undefined
      const path = prefix + name
      if (child.kind === 'directory')
        return openDirectoryHandle(child as DirectoryHandle, signal, `${path}/`)
      const file = child as unknown as FileHandle
      return { kind: 'file', open: () => allowed(path, () => file.getFile(), signal) }
    },
  }
}

async function allowed<T>(
  path: string,
  work: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof SpindleError) throw cause
    const name = cause instanceof Error ? cause.name : ''
    if (name === 'NotAllowedError' || name === 'SecurityError') {
      throw new SpindleError(
        'ERR_FILE_MISSING',
        `the browser does not allow reading "${path}": ask for it with handle.requestPermission({ mode: 'read' }) from a click, then try again`,
        { cause },
      )
    }
    throw new SpindleError(
      'ERR_FILE_MISSING',
      `"${path}" can't be read: it was moved, deleted or locked since the folder was opened; open it again`,
      { cause },
    )
  }
}
