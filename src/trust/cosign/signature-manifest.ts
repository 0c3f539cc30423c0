/** Manifests and tags that signatures are found by. */
import { readVerified } from '../../bytes/verified.ts'
import { SpindleError } from '../../errors.ts'
import { type Manifest, MAX_MANIFEST_BYTES, parseManifest } from '../../oci/manifest.ts'
import type { Descriptor, Digest, OperationOptions, ReadStore } from '../../types.ts'

/** Layers of a `.sig` manifest looked at, as cosign's download does; so none is written that nobody reads. */
export const MAX_SIGNATURE_LAYERS = 100

/** Tag of the older storage form; `undefined` for sha512, which makes it longer than tags may be. */
export function signatureTag(digest: Digest): string | undefined {
  return digest.startsWith('sha256:') ? `${digest.replace(':', '-')}.sig` : undefined
}

export async function readManifest(
  store: ReadStore,
  target: Descriptor,
  options: OperationOptions,
): Promise<Manifest> {
  const bytes = await readBytes(store, target, MAX_MANIFEST_BYTES, options)
  return parseManifest(bytes, target.mediaType, `the manifest ${target.digest}`)
}

/** A blob or manifest of at most that size, checked against its descriptor. */
export async function readBytes(
  store: ReadStore,
  target: Descriptor,
  limit: number,
  options: OperationOptions,
): Promise<Uint8Array> {
  if (target.size > limit)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `${target.digest} has ${target.size} bytes, at most ${limit} are read of what it should be`,
    )
  return readVerified(await store.fetch(target, options), target, options.signal)
}

/** What a tag names, which is read next; `undefined` when there is no such tag. */
export async function resolveOptional(
  store: ReadStore,
  ref: string,
  options: OperationOptions,
): Promise<Descriptor | undefined> {
  try {
    return await store.resolve(ref, { ...options, withBytes: true })
  } catch (error) {
    if (error instanceof SpindleError && error.code === 'ERR_NOT_FOUND') return undefined
    throw error
  }
}
