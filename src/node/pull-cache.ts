import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { Readable } from 'node:stream'
import { algorithmOf, hexOf } from '../bytes/digest.ts'
import { readVerified } from '../bytes/stream.ts'
import { SpindleError } from '../errors.ts'
import { DATA_LAYER_TYPE, WASM_LAYER_TYPE, WASM_PACKAGE_TYPE } from '../spin/media-types.ts'
import type { Descriptor, Store } from '../types.ts'
import { writeFileAtomic } from './bounded-file.ts'

/**
 * Content by digest in a folder, in the layout of Spin's own cache, so that what one has pulled the
 * other finds: Wasm in `registry/wasm`, files in `registry/data`.
 *
 * Exported from `spindle/node`. Only whole, checked content is put in; who reads from it checks
 * again, as `pull` does. Everything else than Wasm and files goes to `registry/blobs`: Spin would
 * take an archive or a lock under `data` for unpacked and leave it at that.
 *
 * @example Pull without fetching anything twice
 * ```ts
 * const app = await pull('ghcr.io/team/hello:1', { cache: createPullCache('./cache') })
 * ```
 */
export function createPullCache(root: string, platform: string = process.platform): Store {
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
  const noNames = (): SpindleError =>
    new SpindleError(
      'ERR_UNSUPPORTED',
      'a cache of content has no names; look them up at the registry',
    )

  return {
    has: async (target) => (await find(target)) !== undefined,
    fetch: async (target) => {
      const place = await find(target)
      if (place === undefined)
        throw new SpindleError('ERR_NOT_FOUND', `${target.digest} is not in the cache ${root}`)
      return Readable.toWeb(createReadStream(place)) as ReadableStream<Uint8Array>
    },
    push: async (expected, body, options = {}) => {
      const [place = ''] = placesOf(expected)
      await writeFileAtomic(place, await readVerified(body, expected, options.signal), 0o644)
    },
    resolve: async () => {
      throw noNames()
    },
    tag: async () => {
      throw noNames()
    },
  }
}
