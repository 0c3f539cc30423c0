import { createContentCache } from 'spindle/store'
import type { ContentKeeper, Store } from 'spindle/store'
import { createR2Storage } from 'spindle/serve'
import type { R2BucketBinding } from 'spindle/serve'

/** Told where content came from; what no layer has comes from the registry. */
export type OnLookup = (layer: 'cache' | 'bucket' | 'registry') => void

/**
 * Content by digest: first in the cache of this data centre, then in a bucket for all of them.
 * Whoever reads checks it, so a damaged copy is no worse than none.
 */
export function createContent(bucket: R2BucketBinding | undefined, onLookup: OnLookup): Store {
  const near = createCacheKeeper()
  const far = bucket === undefined ? undefined : createBucketKeeper(bucket)
  return createContentCache({
    async get(digest, target) {
      const found = await near.get(digest, target)
      if (found !== undefined) {
        onLookup('cache')
        return found
      }
      const kept = await far?.get(digest, target)
      onLookup(kept === undefined ? 'registry' : 'bucket')
      return kept
    },
    async put(...content) {
      await Promise.all([near.put(...content), far?.put(...content)])
    },
  })
}

function createCacheKeeper(): ContentKeeper {
  const urlOf = (digest: string): string => `https://content.invalid/${digest}`
  return {
    get: async (digest) => (await caches.default.match(urlOf(digest)))?.body ?? undefined,
    async put(digest, bytes) {
      const headers = { 'cache-control': 'public, max-age=31536000, immutable' }
      const response = new Response(bytes as Uint8Array<ArrayBuffer>, { headers })
      // A cache may refuse what is large, or all: then there is no copy.
      await caches.default.put(urlOf(digest), response).catch(() => {})
    },
  }
}

function createBucketKeeper(bucket: R2BucketBinding): ContentKeeper {
  const storage = createR2Storage(bucket, { prefix: 'content/' })
  const keyOf = (digest: string): string => digest.replace(':', '/')
  return {
    get: async (digest) => (await storage.get(keyOf(digest)))?.body,
    put: async (digest, bytes) => void (await storage.put(keyOf(digest), bytes)),
  }
}
