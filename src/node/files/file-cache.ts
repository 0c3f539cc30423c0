import { randomBytes } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { Readable } from 'node:stream'
import { algorithmOf, hexOf } from '../../bytes/digest.ts'
import {
  DATA_LAYER_TYPE,
  WASM_LAYER_TYPE,
  WASM_PACKAGE_TYPE,
} from '../../spin/artifact/media-types.ts'
import { chunksOf, openStream } from '../../bytes/stream.ts'
import { verifyStream } from '../../bytes/verified.ts'
import { createContentCache } from '../../store/content-cache.ts'
import { BUFFERED_BYTES } from '../../store/read-content.ts'
import type { Descriptor, Store } from '../../types.ts'
import { writeFileAtomic, writeThrough } from './bounded-file.ts'
import { writeChunks } from './write-chunks.ts'
import { withDescriptor } from './descriptors.ts'

/**
 * A cache for `pull` in a folder, in the layout of Spin's own cache, so that what one has pulled the
 * other finds: Wasm in `registry/wasm`, files in `registry/data`.
 *
 * Exported from `spindle/node`. Everything else than Wasm and files goes to `registry/blobs`: Spin would
 * take an archive or a lock under `data` for unpacked and leave it at that.
 *
 * @example Pull without fetching anything twice
 * ```ts
 * const app = await pull('ghcr.io/team/hello:1', { cache: createFileCache('./cache') })
 * ```
 */
export function createFileCache(root: string, platform: string = process.platform): Store {
  // Spin replaces what Windows can't have in a name.
  const nameOf = ({ digest }: Descriptor): string =>
    platform === 'win32' ? digest.replace(':', '_') : digest
  const placesOf = (target: Descriptor): readonly string[] => {
    const registry = join(root, 'registry')
    const wasm = join(registry, 'wasm', nameOf(target))
    const data = join(registry, 'data', nameOf(target))
    switch (target.mediaType) {
      case WASM_LAYER_TYPE:
      case WASM_PACKAGE_TYPE:
        return [wasm, data]
      case DATA_LAYER_TYPE:
        return [data, wasm]
      default:
        return [join(registry, 'blobs', algorithmOf(target.digest), hexOf(target.digest))]
    }
  }
  const find = async (target: Descriptor): Promise<string | undefined> => {
    for (const place of placesOf(target)) {
      const found = await stat(place).catch(() => undefined)
      if (found?.isFile() === true && found.size === target.size) return place
    }
    return undefined
  }
  const cache = createContentCache({
    has: async (_, target) => (await find(target)) !== undefined,
    async get(_, target) {
      const place = await find(target)
      if (place === undefined) return undefined
      const file = await withDescriptor(() => open(place))
      return Readable.toWeb(file.createReadStream()) as ReadableStream<Uint8Array>
    },
    async put(_, bytes, target) {
      const [place = ''] = placesOf(target)
      await writeFileAtomic(place, bytes, 0o644)
    },
  })
  return {
    ...cache,
    async push(target, body, options = {}) {
      if (body instanceof Uint8Array || target.size <= BUFFERED_BYTES)
        return cache.push(target, body, options)
      const { signal, createHasher } = options
      const checked = verifyStream(openStream(body), target, createHasher)
      const [place = ''] = placesOf(target)
      const temporary = `${place}.${randomBytes(6).toString('hex')}.tmp`
      await writeThrough(temporary, place, 0o644, async (file) => {
        await writeChunks(file, chunksOf(checked, signal))
        await file.sync()
      })
    },
  }
}
