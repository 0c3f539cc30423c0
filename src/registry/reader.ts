import { streamOf } from '../bytes/stream.ts'
import { isManifestType } from '../oci/manifest.ts'
import type { PacedStore, ReadStore, ReferrerStore, WholeStore } from '../types.ts'
import { fetchBlob, hasBlob, readBlob } from './blobs.ts'
import type { RepositoryContext } from './context.ts'
import { getManifest, isNotFound, resolveManifest } from './manifests.ts'
import { listReferrers } from './referrers.ts'

/** What a repository can be asked, apart from what changes it: a pull brings no upload along. */
export function createReader(
  context: RepositoryContext,
): ReadStore & WholeStore & ReferrerStore & PacedStore {
  const { connections } = context.transport
  return {
    ...(connections !== undefined && { concurrency: connections }),
    async fetch(target, options) {
      const given = context.with(options)
      if (!isManifestType(target.mediaType)) return fetchBlob(context, target, given)
      return streamOf((await getManifest(context, target.digest, given, target)).bytes)
    },
    async whole(target, options) {
      const given = context.with(options)
      if (!isManifestType(target.mediaType)) return readBlob(context, target, given)
      return (await getManifest(context, target.digest, given, target)).bytes
    },
    async has(target, options) {
      const given = context.with(options)
      if (!isManifestType(target.mediaType)) return hasBlob(context, target, given)
      try {
        await resolveManifest(context, target.digest, given)
        return true
      } catch (error) {
        if (isNotFound(error)) return false
        throw error
      }
    },
    resolve: (ref, options) => resolveManifest(context, ref, context.with(options)),
    referrers: (subject, options) => listReferrers(context, subject, context.with(options)),
  }
}
