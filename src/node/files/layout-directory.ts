import { randomUUID } from 'node:crypto'
import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { streamFrom, chunksOf, openStream } from '../../bytes/stream.ts'
import { createLayoutStore, type LayoutFiles } from '../../store/layout.ts'
import type { ReferrerStore, Store, WholeStore } from '../../types.ts'
import { writeThrough } from './bounded-file.ts'
import { retryWithFolder } from './folders.ts'
import { createSmallFiles, SMALL_BYTES } from './small-files.ts'
import { writeChunks } from './write-chunks.ts'
import { withDescriptor } from './descriptors.ts'

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
export function openLayoutDirectory(directory: string): Store & WholeStore & ReferrerStore {
  return createLayoutStore(folderFiles(resolve(directory)))
}

function folderFiles(root: string): LayoutFiles {
  const small = createSmallFiles()
  const writer = randomUUID()
  let written = 0
  return {
    async read(path) {
      const file = `${root}/${path}`
      const found = await small.read(file)
      return typeof found === 'number'
        ? { size: found, stream: () => streamFrom(chunksOfFile(file)) }
        : found
    },
    has: (path) => small.has(`${root}/${path}`),
    async write(path, body, options) {
      const target = `${root}/${path}`
      const folder = target.slice(0, target.lastIndexOf('/'))
      const temporary = `${folder}/.${writer}-${written++}`
      // Its folder is there for all blobs but the first.
      if (body instanceof Uint8Array && body.length <= SMALL_BYTES)
        return retryWithFolder(temporary, () => small.write(temporary, target, body))
      await writeThrough(temporary, target, undefined, (file) =>
        writeChunks(file, chunksOf(openStream(body), options?.signal)),
      )
    },
  }
}

async function* chunksOfFile(path: string): AsyncGenerator<Uint8Array> {
  const file = await withDescriptor(() => open(path))
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
