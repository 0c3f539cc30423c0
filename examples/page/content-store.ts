import { SpindleError } from 'spindle/errors'
import type { Store } from 'spindle/store'

const CACHE = 'spindle-content'

/**
 * Content by digest in this browser, shared by the pages of one origin. It outlives them.
 *
 * Nothing in it is trusted: who reads compares the bytes with their digest, as with a registry.
 */
export function createContentStore(): Store {
  const open = (): Promise<Cache> => {
    if (typeof caches === 'undefined')
      throw new SpindleError('ERR_UNSUPPORTED', 'this browser keeps nothing for this page')
    return caches.open(CACHE)
  }
  const address = (digest: string): string => `/spindle-content/${encodeURIComponent(digest)}`
  return {
    async has({ digest }) {
      return (await (await open()).match(address(digest))) !== undefined
    },
    async fetch({ digest }) {
      const found = await (await open()).match(address(digest))
      if (found === undefined || found.body === null) throw missing(digest)
      return found.body
    },
    async push({ digest, mediaType, size }, body) {
      // Whole before it is put: what breaks off is not kept.
      const bytes =
        body instanceof ReadableStream
          ? await new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>).blob()
          : body instanceof Uint8Array
            ? new Blob([body as Uint8Array<ArrayBuffer>])
            : await new Response(body.stream() as ReadableStream<Uint8Array<ArrayBuffer>>).blob()
      const headers = { 'Content-Type': mediaType, 'Content-Length': String(size) }
      await (await open()).put(address(digest), new Response(bytes, { headers }))
    },
    async resolve(digest) {
      const found = await (await open()).match(address(digest))
      if (found === undefined) throw missing(digest)
      const mediaType = found.headers.get('Content-Type') ?? ''
      return { mediaType, digest: digest as `sha256:${string}`, size: (await found.blob()).size }
    },
    // Names are not kept here: see the playground's list of what it ran.
    async tag() {},
  }
}

/** Frees all of it. */
export async function emptyContentStore(): Promise<void> {
  await caches.delete(CACHE)
}

function missing(what: string): SpindleError {
  return new SpindleError('ERR_NOT_FOUND', `${what} is not kept in this browser: pull it again`)
}
