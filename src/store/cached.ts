import { COLLECT_BYTES } from '../bytes/digest.ts'
import { streamOf } from '../bytes/stream.ts'
import { verifyStream } from '../bytes/verified.ts'
import type {
  Descriptor,
  OperationOptions,
  PacedStore,
  ReadStore,
  ReferrerStore,
  Store,
  WholeStore,
} from '../types.ts'
import { readContent } from './read-content.ts'

/**
 * A store that reads content through a cache and stores what it fetches there.
 *
 * Names are always resolved at the origin. Cached bytes are verified when they are read; corrupt
 * ones
 * are fetched again. Content too large to buffer bypasses the cache.
 */
export function withCache(
  origin: ReadStore & Partial<ReferrerStore & PacedStore & WholeStore>,
  cache: Store,
): ReadStore & WholeStore & Partial<ReferrerStore & PacedStore> {
  /** Verified bytes; `undefined` if the cache has none or they are corrupt. */
  const readCached = async (
    target: Descriptor,
    options: OperationOptions,
  ): Promise<Uint8Array | undefined> => {
    if (!(await cache.has(target, options))) return undefined
    try {
      return await readContent(cache, target, options)
    } catch (error) {
      options.signal?.throwIfAborted()
      // Corrupt or evicted: read from the origin.
      return undefined
    }
  }
  const whole = async (target: Descriptor, options: OperationOptions = {}): Promise<Uint8Array> => {
    const cached = await readCached(target, options)
    if (cached !== undefined) return cached
    const bytes = await readContent(origin, target, options)
    await cache.push(target, bytes, options)
    return bytes
  }
  return {
    ...(origin.concurrency !== undefined && { concurrency: origin.concurrency }),
    // Referrers are listed at the origin, for a later verification.
    ...(origin.referrers !== undefined && {
      referrers: (subject, options) => origin.referrers!(subject, options),
    }),
    async resolve(ref, { withBytes = false, ...options } = {}) {
      // Resolved without bytes first, as some registries count downloads. The size can be wrong
      // then.
      const found = await origin.resolve(ref, options)
      const isKnown = !withBytes || (await readCached(found, options)) !== undefined
      return isKnown ? found : origin.resolve(found.digest, { ...options, withBytes })
    },
    has: async (target, options) =>
      (await cache.has(target, options)) || origin.has(target, options),
    whole,
    fetch: async (target, options) =>
      target.size > COLLECT_BYTES
        ? verifyStream(await origin.fetch(target, options), target, options?.createHasher)
        : streamOf(await whole(target, options)),
  }
}
