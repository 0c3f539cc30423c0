import { SpindleError } from '../../errors.ts'
import type { FileTree } from '../../types.ts'
import { createTreeBuilder, type TreeBuilder, type TreeLimits } from '../tree-builder.ts'
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

/** Deepest folder: a tree that is no loop of links is never this deep. */
const MAX_DEPTH = 128

/** A folder that the user opened, e.g. with `showDirectoryPicker()` or from the origin's private files. */
export async function readDirectoryHandle(
  handle: DirectoryHandle,
  limits: TreeLimits,
  signal?: AbortSignal,
): Promise<FileTree> {
  const builder = createTreeBuilder(limits)
  await walk(handle, '', 0, builder, signal)
  return builder.tree
}

async function walk(
  directory: DirectoryHandle,
  prefix: string,
  depth: number,
  builder: TreeBuilder,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (depth > MAX_DEPTH)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `folders are nested more than ${MAX_DEPTH} deep at "${prefix.slice(0, 200)}": is there a loop of links?`,
    )
  const children = await allowed(
    prefix || directory.name,
    async () => {
      const found: { readonly kind: string; readonly name: string }[] = []
      for await (const [, child] of directory.entries()) {
        signal?.throwIfAborted()
        found.push(child)
      }
      return found
    },
    signal,
  )
  for (const child of children) {
    signal?.throwIfAborted()
    const path = prefix + child.name
    if (child.kind === 'directory') {
      await walk(child as DirectoryHandle, `${path}/`, depth + 1, builder, signal)
    } else {
      builder.add(
        path,
        await allowed(path, () => (child as unknown as FileHandle).getFile(), signal),
      )
    }
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
