import { SpindleError } from '../errors.ts'
import { isDigest } from '../bytes/digest.ts'
import { streamOf } from '../bytes/stream.ts'
import { readVerified } from '../bytes/verified.ts'
import { isManifestType, parseManifest, referrerDescriptor } from '../oci/manifest.ts'
import type {
  BodySource,
  ContentStore,
  Descriptor,
  Digest,
  OperationOptions,
  ReferrerStore,
  Store,
} from '../types.ts'

/**
 * Creates a store in memory.
 *
 * Exported from the main entry point and `spindle/store`.
 *
 * @example Mirror into memory, then run
 * ```ts
 * const store = createMemoryStore()
 * await copy('ghcr.io/team/hello:1', { store, ref: '1' })
 * ```
 */
export function createMemoryStore(): Store & ReferrerStore & ContentStore {
  const contents = new Map<Digest, { descriptor: Descriptor; bytes: Uint8Array<ArrayBuffer> }>()
  const tags = new Map<string, Descriptor>()
  const subjects = new Map<Digest, Map<Digest, Descriptor>>()

  const missing = (what: string): SpindleError =>
    new SpindleError('ERR_NOT_FOUND', `${what} is not in this store; copy it there first`)

  return {
    async fetch(target) {
      const found = contents.get(target.digest)
      if (found === undefined) throw missing(target.digest)
      return streamOf(found.bytes)
    },
    async has(target) {
      return contents.has(target.digest)
    },
    async resolve(ref) {
      const found = isDigest(ref) ? contents.get(ref)?.descriptor : tags.get(ref)
      if (found === undefined) throw missing(ref)
      return found
    },
    async push(
      expected: Descriptor,
      body: BodySource,
      options: OperationOptions & { tag?: string } = {},
    ) {
      const bytes = await readVerified(body, expected, options.signal, options.createHasher)
      const descriptor: Descriptor = {
        mediaType: expected.mediaType,
        digest: expected.digest,
        size: expected.size,
      }
      if (isManifestType(expected.mediaType)) {
        const manifest = parseManifest(bytes, expected.mediaType)
        if (manifest.subject !== undefined) {
          const referrers = subjects.get(manifest.subject.digest) ?? new Map<Digest, Descriptor>()
          subjects.set(
            manifest.subject.digest,
            referrers.set(descriptor.digest, referrerDescriptor(descriptor, manifest)),
          )
        }
      }
      contents.set(expected.digest, { descriptor, bytes })
      if (options.tag !== undefined) tags.set(options.tag, descriptor)
    },
    async tag(target, ref) {
      const found = contents.get(target.digest)
      if (found === undefined) throw missing(target.digest)
      tags.set(ref, found.descriptor)
    },
    async *referrers(subject, options = {}) {
      for (const referrer of subjects.get(subject.digest)?.values() ?? []) {
        if (options.artifactType === undefined || options.artifactType === referrer.artifactType)
          yield referrer
      }
    },
    content(target) {
      return contents.get(target.digest)?.bytes
    },
  }
}
