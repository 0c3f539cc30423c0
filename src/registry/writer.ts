import { SpindleError } from '../errors.ts'
import { isManifestType, parseManifest, referrerDescriptor, successorsOf } from '../oci/manifest.ts'
import type { KnownBlobsStore, MountStore, OperationOptions, Store } from '../types.ts'
import type { RepositoryContext } from './context.ts'
import {
  getManifest,
  isNotFound,
  putManifest,
  readManifestBody,
  type ReceivedManifest,
} from './manifests.ts'
import { announceReferrer } from './referrers.ts'
import { mountBlob, pushBlob } from './upload.ts'

/** Writes to a repository: pushes, tags and mounts. Deletes are in `repository.ts`. */
export function createWriter(
  context: RepositoryContext,
): Pick<Store, 'push' | 'tag'> & MountStore & KnownBlobsStore {
  const pushManifest = async (
    received: ReceivedManifest,
    tag: string | undefined,
    options: OperationOptions,
  ): Promise<void> => {
    const { descriptor, bytes } = received
    const { digest, mediaType } = descriptor
    const manifest = parseManifest(bytes, mediaType, `the manifest ${digest}`)
    const { subject } = manifest
    // Under a tag alone a registry would know it by its sha256 only.
    const byDigest = tag === undefined || !digest.startsWith('sha256:')
    let noted = byDigest && (await putManifest(context, received, digest, options))
    if (tag !== undefined) noted = (await putManifest(context, received, tag, options)) || noted
    if (subject !== undefined)
      await announceReferrer(
        context,
        subject.digest,
        referrerDescriptor(descriptor, manifest),
        noted,
        options,
      )
  }

  return {
    async push(expected, body, options) {
      const given = context.with(options)
      if (!isManifestType(expected.mediaType)) return pushBlob(context, expected, body, given)
      await pushManifest(await readManifestBody(body, expected, given), given.tag, given)
    },
    async tag(target, ref, options) {
      const given = context.with(options)
      await putManifest(
        context,
        await getManifest(context, target.digest, given, target),
        ref,
        given,
      )
    },
    mount: (target, fromRepository, options) =>
      mountBlob(context, target, fromRepository, context.with(options)),
    async knownBlobs(ref, options) {
      try {
        const { descriptor, bytes } = await getManifest(context, ref, context.with(options))
        return new Set(
          successorsOf(parseManifest(bytes, descriptor.mediaType)).map(({ digest }) => digest),
        )
      } catch (error) {
        // What stands there now is about to be overwritten; it need not be good, nor there.
        if (isNotFound(error) || isUnreadable(error)) return new Set()
        throw error
      }
    },
  }
}

function isUnreadable(error: unknown): boolean {
  return (
    error instanceof SpindleError &&
    ['ERR_CONTENT_INVALID', 'ERR_LIMIT_EXCEEDED'].includes(error.code)
  )
}
