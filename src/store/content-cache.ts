import { readVerified } from '../bytes/verified.ts'
import { SpindleError } from '../errors.ts'
import type { Descriptor, Digest, Store } from '../types.ts'

/** Storage for bytes by digest, such as the Cache API, a bucket, a database or a folder. */
export interface ContentKeeper {
  /** Opens content; `undefined` if there is none. The caller verifies it. */
  get(digest: Digest, target: Descriptor): Promise<ReadableStream<Uint8Array> | undefined>
  /** Stores bytes. Called with verified bytes only. */
  put(digest: Digest, bytes: Uint8Array, target: Descriptor): Promise<void>
  /** Whether there is content. Default: opens it with `get`. */
  has?(digest: Digest, target: Descriptor): Promise<boolean>
}

/**
 * Creates a cache for `pull` over any storage for bytes.
 *
 * Exported from the main entry point and `spindle/store`. It has no names: they are
 * resolved at the registry.
 *
 * @example In the cache of a browser or Worker
 * ```ts
 * const kept = await caches.open('content')
 * const urlOf = (digest) => `https://content.invalid/${digest}`
 * const cache = createContentCache({
 *   get: async (digest) => (await kept.match(urlOf(digest)))?.body ?? undefined,
 *   put: (digest, bytes) => kept.put(urlOf(digest), new Response(bytes)),
 * })
 * const app = await pull('ghcr.io/team/hello:1', { cache })
 * ```
 */
export function createContentCache(keeper: ContentKeeper): Store {
  const noNames = async (): Promise<never> => {
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      'a content cache has no names; resolve them at the registry',
    )
  }
  return {
    async has(target) {
      if (keeper.has !== undefined) return keeper.has(target.digest, target)
      const body = await keeper.get(target.digest, target)
      void body?.cancel().catch(() => {})
      return body !== undefined
    },
    async fetch(target) {
      const body = await keeper.get(target.digest, target)
      if (body === undefined)
        throw new SpindleError('ERR_NOT_FOUND', `${target.digest} is not in the cache`)
      return body
    },
    async push(target, body, { signal, createHasher } = {}) {
      const bytes = await readVerified(body, target, signal, createHasher)
      await keeper.put(target.digest, bytes, target)
    },
    resolve: noNames,
    tag: noNames,
  }
}
