import { randomUUID } from 'node:crypto'
import { open, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { streamFrom } from '../bytes/generate.ts'
import { chunksOf, openStream } from '../bytes/stream.ts'
import { createLayoutStore, type LayoutFiles } from '../store/layout.ts'
import type { Content, ReferrerStore, Store } from '../types.ts'
import { retryWithFolder } from './folders.ts'
import { writeChunks } from './write-chunks.ts'

const CHUNK = 256 * 1024

/**
 * An OCI image layout in a folder, which is made when first written to: skopeo's `oci:FOLDER:NAME`.
 *
 * Exported from `spindle/node`. Files appear whole or not at all; what an interrupted write leaves
 * behind begins with `.` and has no meaning.
 *
 * @example Pull to disk
 * ```ts
 * await copy('ghcr.io/team/hello:1', { store: openLayoutDirectory('./hello'), ref: '1' })
 * ```
 * @see OCI Image Spec 1.1, Image Layout
 */
export function openLayoutDirectory(directory: string): Store & ReferrerStore {
  return createLayoutStore(folderFiles(resolve(directory)))
}

function folderFiles(root: string): LayoutFiles {
  return {
    async read(path) {
      const file = join(root, path)
      const found = await statOf(file)
      return found === undefined
        ? undefined
        : { size: found, stream: () => streamFrom(chunksOfFile(file)) }
    },
    has: async (path) => (await statOf(join(root, path))) !== undefined,
    async write(path, body, options) {
      const target = join(root, path)
      const temporary = join(dirname(target), `.${randomUUID()}`)
      try {
        // Its folder is there for all blobs but the first.
        const file = await retryWithFolder(temporary, () => open(temporary, 'wx'))
        try {
          await writeChunks(file, chunksOf(openStream(body), options?.signal))
        } finally {
          await file.close()
        }
        await rename(temporary, target)
      } catch (error) {
        await rm(temporary, { force: true })
        throw error
      }
    },
  }
}

async function statOf(path: string): Promise<Content['size'] | undefined> {
  try {
    const found = await stat(path)
    return found.isFile() ? found.size : undefined
  } catch (error) {
    if (
      (error as { code?: unknown }).code === 'ENOENT' ||
      (error as { code?: unknown }).code === 'ENOTDIR'
    )
      return undefined
    throw error
  }
}

async function* chunksOfFile(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path)
  try {
    for (;;) {
      const { bytesRead, buffer } = await file.read(new Uint8Array(CHUNK), 0, CHUNK, null)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}
