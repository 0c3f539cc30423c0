import type { Descriptor, RemoteOptions, Source } from '../types.ts'
import { openSource } from './location.ts'

/**
 * Looks up what a tag or digest names, without reading it.
 *
 * Exported from the main entry point and from `spindle/resolve`.
 *
 * @example Pin a tag
 * ```ts
 * const { digest } = await resolve('ghcr.io/team/hello:1')
 * ```
 * @throws `ERR_NOT_FOUND`, `ERR_UNAUTHORIZED`, `ERR_NETWORK`, `ERR_RESPONSE`
 */
export async function resolve(at: Source, options: RemoteOptions = {}): Promise<Descriptor> {
  const { store, ref } = openSource(at, options)
  return store.resolve(ref, options)
}
