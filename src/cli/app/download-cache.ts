import { join } from 'node:path'
import { digestOf, isDigest } from '../../bytes/digest.ts'
import { streamFrom, readBounded } from '../../bytes/stream.ts'
import type { AppManifest } from '../../spin/manifest/app-manifest.ts'
import { WASM_REMEDY } from '../../spin/source/wasm-source.ts'
import type { FetchLike } from '../../types.ts'
import { readFileBounded, writeFileAtomic } from '../../node/files/bounded-file.ts'

/**
 * A `fetch` that caches the components that a manifest names by URL and digest in `registry/wasm`, as
 * Spin does. A cached component is used only if it matches the digest.
 *
 * @param maxBytes Maximum size of a component.
 * @param onFailure Called when a component cannot be cached; an error that it throws fails the request.
 */
export function createDownloadCache(
  root: string,
  manifest: AppManifest,
  fetch: FetchLike,
  platform: string,
  onFailure: (error: unknown) => void,
  maxBytes: number,
): FetchLike {
  const digests = new Map<string, string>()
  for (const { source } of Object.values(manifest.component ?? {})) {
    if (typeof source === 'object' && 'url' in source && isDigest(source.digest)) {
      digests.set(new URL(source.url).href, source.digest)
    }
  }
  return async (request) => {
    const digest = digests.get(request.url)
    if (digest === undefined) return fetch(request)
    const path = join(
      root,
      'registry',
      'wasm',
      platform === 'win32' ? digest.replace(':', '_') : digest,
    )
    const kept = await readFileBounded(path, maxBytes).catch(() => undefined)
    if (kept !== undefined && (await digestOf(kept)) === digest)
      return new Response(kept as Uint8Array<ArrayBuffer>)
    const response = await fetch(request)
    if (!response.ok || response.body === null) return response
    const { body } = response
    // Read lazily: the response timeout ends with the headers.
    const keep = async function* (): AsyncGenerator<Uint8Array> {
      const { signal } = request
      const bytes = await readBounded(body, maxBytes, 'the component', signal, WASM_REMEDY)
      if ((await digestOf(bytes)) === digest)
        await writeFileAtomic(path, bytes, 0o644).catch(onFailure)
      yield bytes
    }
    const { headers } = response
    return new Response(streamFrom(keep()), { headers })
  }
}
