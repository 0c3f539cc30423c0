/** Manifests and tags of stored signatures. */
import { readVerified } from '../../bytes/verified.ts'
import { SpindleError } from '../../errors.ts'
import { type Manifest, MAX_MANIFEST_BYTES, parseManifest } from '../../oci/manifest.ts'
import type { Descriptor, Digest, OperationOptions, ReadStore } from '../../types.ts'

/** Most layers read from a `.sig` manifest, as in cosign; no more are written either. */
export const MAX_SIGNATURE_LAYERS = 100

/** The tag of legacy signatures; `undefined` for sha512, which would exceed the 128 characters of a tag. */
export function signatureTag(digest: Digest): string | undefined {
  return digest.startsWith('sha256:') ? `${digest.replace(':', '-')}.sig` : undefined
}

/** Reads and parses a manifest, checked against its descriptor. */
export async function readManifest(
  store: ReadStore,
  target: Descriptor,
  options: OperationOptions,
): Promise<Manifest> {
  const bytes = await readBytes(store, target, MAX_MANIFEST_BYTES, options)
  return parseManifest(bytes, target.mediaType, `the manifest ${target.digest}`)
}

/** Reads a blob or manifest of at most `limit` bytes, checked against its descriptor. */
export async function readBytes(
  store: ReadStore,
  target: Descriptor,
  limit: number,
  options: OperationOptions,
): Promise<Uint8Array> {
  if (target.size > limit)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `${target.digest} has ${target.size} bytes, more than the limit of ${limit} for a part of a signature`,
    )
  return readVerified(await store.fetch(target, options), target, options.signal)
}

/** Resolves a tag whose manifest is read next; `undefined` when the tag does not exist. */
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
