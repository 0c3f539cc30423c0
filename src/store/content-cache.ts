import { readVerified } from '../bytes/stream.ts'
import { SpindleError } from '../errors.ts'
import type { Digest, Store } from '../types.ts'

/** Where bytes are kept by digest: the Cache API, a bucket, a database. */
export interface ContentKeeper {
  /** `undefined` when there is nothing. What it gives is checked by who asked. */
  get(digest: Digest): Promise<ReadableStream<Uint8Array> | undefined>
  /** Told only of bytes that were checked. */
  put(digest: Digest, bytes: Uint8Array): Promise<void>
}

/**
 * A cache for `pull` over whatever keeps bytes.
 *
 * Exported from the main entry point and from `spindle/store`. It has no names: those are looked up
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
    async has({ digest }) {
      const body = await keeper.get(digest)
      void body?.cancel().catch(() => {})
      return body !== undefined
    },
    async fetch({ digest }) {
      const body = await keeper.get(digest)
      if (body === undefined)
        throw new SpindleError('ERR_NOT_FOUND', `${digest} is not in the cache`)
      return body
    },
    async push(expected, body, { signal, createHasher } = {}) {
      await keeper.put(expected.digest, await readVerified(body, expected, signal, createHasher))
    },
    resolve: noNames,
    tag: noNames,
  }
}
