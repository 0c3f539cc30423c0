import type { Descriptor, RemoteOptions, Source } from '../types.ts'
import { createContext } from '../registry/context.ts'
import { resolveManifest } from '../registry/manifests.ts'
import { locate } from './location.ts'

export type * from '../registry/remote-types.ts'
export type { ReadStore, Source } from '../types.ts'

/**
 * Resolves a tag or digest without reading the manifest.
 *
 * Media type and size, and the digest of a tag, are taken from a registry's response to HEAD and
 * are
 * not verified. `pull`, `copy` and `verify` read the manifest, and reject if it does not match.
 *
 * Exported from the main entry point and `spindle/resolve`.
 *
 * @example Pin a tag
 * ```ts
 * const { digest } = await resolve('ghcr.io/team/hello:1')
 * ```
 * @throws `ERR_NOT_FOUND`, `ERR_UNAUTHORIZED`, `ERR_NETWORK`, `ERR_RESPONSE`
 */
export async function resolve(at: Source, options: RemoteOptions = {}): Promise<Descriptor> {
  const place = locate(at)
  if ('store' in place) return place.store.resolve(place.ref, options)
  const context = createContext(place.reference, options)
  return resolveManifest(context, place.ref, context.with(options))
}
