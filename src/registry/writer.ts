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

/** Writes to a repository: pushes, tags and mounts. `repository.ts` deletes. */
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
    // A manifest pushed under a tag alone can be found by its sha256 digest only.
    const byDigest = tag === undefined || !digest.startsWith('sha256:')
    let hasSubject = byDigest && (await putManifest(context, received, digest, options))
    if (tag !== undefined)
      hasSubject = (await putManifest(context, received, tag, options)) || hasSubject
    if (subject !== undefined)
      await announceReferrer(
        context,
        subject.digest,
        referrerDescriptor(descriptor, manifest),
        hasSubject,
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
        // The manifest there is about to be overwritten: it can be missing or invalid.
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
