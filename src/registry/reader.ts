import { streamOf } from '../bytes/stream.ts'
import { isManifestType } from '../oci/manifest.ts'
import type {
  Descriptor,
  OperationOptions,
  PacedStore,
  ReadStore,
  ReferrerStore,
  WholeStore,
} from '../types.ts'
import { fetchBlob, hasBlob, readBlob } from './blobs.ts'
import type { RepositoryContext } from './context.ts'
import { getManifest, hasManifest, resolveManifest } from './manifests.ts'
import { listReferrers } from './referrers.ts'

/** Reads a repository. Separate from the writer, so that a pull does not bundle uploads. */
export function createReader(
  context: RepositoryContext,
): ReadStore & WholeStore & ReferrerStore & PacedStore {
  const { connections } = context.transport
  /**
   * Manifest bytes received with `withBytes`, each for one read: the caller may change or detach
   * them.
   */
  const resolved = new WeakMap<Descriptor, Uint8Array>()
  const whole = async (target: Descriptor, options?: OperationOptions): Promise<Uint8Array> => {
    const given = context.with(options)
    if (!isManifestType(target.mediaType)) return readBlob(context, target, given)
    const buffered = resolved.get(target)
    resolved.delete(target)
    return buffered ?? (await getManifest(context, target.digest, given, target)).bytes
  }
  return {
    ...(connections !== undefined && { concurrency: connections }),
    whole,
    async fetch(target, options) {
      if (isManifestType(target.mediaType)) return streamOf(await whole(target, options))
      return fetchBlob(context, target, context.with(options))
    },
    async has(target, options) {
      const given = context.with(options)
      return isManifestType(target.mediaType)
        ? hasManifest(context, target.digest, given)
        : hasBlob(context, target, given)
    },
    async resolve(ref, options) {
      const given = context.with(options)
      if (!given.withBytes) return resolveManifest(context, ref, given)
      const { descriptor, bytes } = await getManifest(context, ref, given)
      resolved.set(descriptor, bytes)
      return descriptor
    },
    referrers: (subject, options) => listReferrers(context, subject, context.with(options)),
  }
}
