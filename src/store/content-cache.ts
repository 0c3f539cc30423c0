import { readVerified } from '../bytes/verified.ts'
import { SpindleError } from '../errors.ts'
import type { Descriptor, Digest, Store } from '../types.ts'

/** Where bytes are kept by digest: the Cache API, a bucket, a database, a folder. */
export interface ContentKeeper {
  /** `undefined` when there is nothing. What it gives is checked by who asked. */
  get(digest: Digest, target: Descriptor): Promise<ReadableStream<Uint8Array> | undefined>
  /** Told only of bytes that were checked. */
  put(digest: Digest, bytes: Uint8Array, target: Descriptor): Promise<void>
  /** Default: by `get`, for what can't tell without opening it. */
  has?(digest: Digest, target: Descriptor): Promise<boolean>
}

/**
 * A cache for `pull` over whatever keeps bytes.
 *
 * Exported from the main entry point and `spindle/store`. It has no names: those are looked up
 * at the registry.
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
      'a cache of content has no names; look them up at the registry',
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
