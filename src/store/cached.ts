import { COLLECT_BYTES } from '../bytes/digest.ts'
import { readVerified, streamOf, verifyStream } from '../bytes/stream.ts'
import type { OperationOptions, PacedStore, ReadStore, ReferrerStore, Store } from '../types.ts'

/**
 * A store that is read through a cache: content is looked for there first, and kept there after.
 *
 * Names are always resolved at the origin. Cached bytes are checked on reading; damaged ones are
 * fetched anew. Content too large to hold is streamed past the cache.
 */
export function withCache(
  origin: ReadStore & Partial<ReferrerStore & PacedStore>,
  cache: Store,
): ReadStore & Partial<ReferrerStore & PacedStore> {
  return {
    ...(origin.concurrency !== undefined && { concurrency: origin.concurrency }),
    // Whoever verifies later finds signatures where they are.
    ...(origin.referrers !== undefined && {
      referrers: (subject, options) => origin.referrers!(subject, options),
    }),
    resolve: (ref, options) => origin.resolve(ref, options),
    has: async (target, options) =>
      (await cache.has(target, options)) || origin.has(target, options),
    async fetch(target, options: OperationOptions = {}) {
      const { signal, createHasher } = options
      if (target.size > COLLECT_BYTES) {
        return verifyStream(await origin.fetch(target, options), target, createHasher)
      }
      if (await cache.has(target, options)) {
        try {
          return streamOf(
            await readVerified(await cache.fetch(target, options), target, signal, createHasher),
          )
        } catch (error) {
          signal?.throwIfAborted()
          // Damaged or gone since: the origin has it still.
        }
      }
      const bytes = await readVerified(
        await origin.fetch(target, options),
        target,
        signal,
        createHasher,
      )
      await cache.push(target, bytes, options)
      return streamOf(bytes)
    },
  }
}
