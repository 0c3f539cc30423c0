import { streamOf } from '../bytes/stream.ts'
import { createTransport } from '../http/transport.ts'
import { isManifestType, parseManifest, referrerDescriptor, successorsOf } from '../oci/manifest.ts'
import { apiHostOf, isReference, parseReference } from '../oci/reference.ts'
import type {
  Descriptor,
  KnownBlobsStore,
  MountStore,
  OperationOptions,
  Reference,
  ReferrerStore,
  RemoteOptions,
  Store,
  TransportOptions,
} from '../types.ts'
import { fetchBlob, hasBlob } from './blobs.ts'
import type { RepositoryContext } from './context.ts'
import {
  deleteManifest,
  getManifest,
  isNotFound,
  putManifest,
  readManifestBody,
  type ReceivedManifest,
  resolveManifest,
} from './manifests.ts'
import { announceReferrer, listReferrers } from './referrers.ts'
import { removeFromReferrersTag } from './referrers-tag.ts'
import { listTags } from './tags.ts'
import { mountBlob, pushBlob } from './upload.ts'

export interface RepositoryOptions extends RemoteOptions {
  /** Bytes per upload request. Default: whole blobs, which is faster and which all registries take. */
  chunkSize?: number
}

/** A repository of a registry, as a store. */
export interface Repository extends Store, ReferrerStore, MountStore, KnownBlobsStore {
  readonly reference: Reference
  /** All tags, in code unit order. */
  tags(options?: OperationOptions): AsyncIterable<string>
  /** By digest; a manifest's tags go with it. */
  delete(target: Descriptor, options?: OperationOptions): Promise<void>
}

const TRANSPORT_OPTIONS: readonly (keyof TransportOptions)[] = [
  'credentials',
  'fetch',
  'insecure',
  'onWarning',
  'retry',
  'timeout',
]

/**
 * Opens a repository. Nothing is asked of the registry yet.
 *
 * Exported from the main entry point and from `spindle/repository`.
 *
 * @example List what a repository has
 * ```ts
 * const repository = createRepository('ghcr.io/team/hello')
 * for await (const tag of repository.tags()) console.log(tag, await repository.resolve(tag))
 * ```
 * @throws `ERR_REFERENCE_INVALID`. Its methods reject with `ERR_UNAUTHORIZED`, `ERR_NOT_FOUND`,
 * `ERR_NETWORK`, `ERR_TIMEOUT`, `ERR_RESPONSE`, `ERR_DIGEST_MISMATCH`, `ERR_CONTENT_INVALID` and
 * `ERR_LIMIT_EXCEEDED`.
 * @see {@link https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md Distribution Spec}
 */
export function createRepository(
  at: string | Reference,
  options: RepositoryOptions = {},
): Repository {
  const context = createContext(at, options)

  const pushManifest = async (
    received: ReceivedManifest,
    tag: string | undefined,
    options: OperationOptions,
  ): Promise<void> => {
    const { descriptor, bytes } = received
    const manifest = parseManifest(bytes, descriptor.mediaType, `the manifest ${descriptor.digest}`)
    const { digest } = descriptor
    // Under a tag alone a registry would know it by its sha256 only.
    const byDigest = tag === undefined || !digest.startsWith('sha256:')
    let noted = byDigest && (await putManifest(context, received, digest, options))
    const announce = async (): Promise<void> => {
      if (manifest.subject === undefined) return
      await announceReferrer(
        context,
        manifest.subject.digest,
        referrerDescriptor(descriptor, manifest),
        noted,
        options,
      )
    }
    if (tag !== undefined) noted = (await putManifest(context, received, tag, options)) || noted
    await announce()
  }

  return {
    reference: context.reference,
    async fetch(target, options) {
      const given = context.with(options)
      if (!isManifestType(target.mediaType)) return fetchBlob(context, target, given)
      return streamOf((await getManifest(context, target.digest, given, target)).bytes)
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
    referrers: (subject, options) => listReferrers(context, subject, context.with(options)),
    tags: (options) => listTags(context, context.with(options)),
    async delete(target, options) {
      const given = context.with(options)
      if (!isManifestType(target.mediaType)) return deleteBlob(context, target, given)
      const { bytes } = await getManifest(context, target.digest, given, target)
      const { subject } = parseManifest(bytes, target.mediaType)
      await deleteManifest(context, target.digest, given)
      if (subject !== undefined)
        await removeFromReferrersTag(context, subject.digest, target.digest, given)
    },
  }
}

function isUnreadable(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ERR_CONTENT_INVALID' || error.code === 'ERR_LIMIT_EXCEEDED')
  )
}

async function deleteBlob(
  { transport, base, scope }: RepositoryContext,
  { digest }: Descriptor,
  { signal }: OperationOptions,
): Promise<void> {
  const response = await transport.fetch({
    method: 'DELETE',
    url: new URL(`blobs/${digest}`, base),
    scope: scope('delete'),
    ...(signal !== undefined && { signal }),
  })
  void response.body?.cancel().catch(() => {})
}

function createContext(at: string | Reference, options: RepositoryOptions): RepositoryContext {
  if (typeof at !== 'string' && !isReference(at))
    throw new TypeError('a repository is named by a string or a parsed reference')
  const reference =
    typeof at === 'string' ? parseReference(at, { defaultRegistry: 'docker.io' }) : at
  const { chunkSize, createHasher, signal } = options
  if (chunkSize !== undefined && !(Number.isSafeInteger(chunkSize) && chunkSize > 0))
    throw new TypeError(`"chunkSize" must be a whole number of bytes above 0, not ${chunkSize}`)
  const given = TRANSPORT_OPTIONS.filter((name) => options[name] !== undefined)
  if (options.transport !== undefined && given.length > 0)
    throw new TypeError(
      `"transport" can't be given together with "${given.join('", "')}": give them to createTransport`,
    )
  const transport =
    options.transport ??
    createTransport(Object.fromEntries(given.map((name) => [name, options[name]])))
  const { registry, repository } = reference
  const host = apiHostOf(registry)
  return {
    reference,
    transport,
    base: new URL(`${transport.protocol(host)}//${host}/v2/${repository}/`),
    ...(chunkSize !== undefined && { chunkSize }),
    ...(createHasher !== undefined && { createHasher }),
    sessions: new Map(),
    scope: (...actions) => ({ registry, repository, actions }),
    with: <T extends OperationOptions>(own: T | undefined): T => ({
      ...(signal !== undefined && { signal }),
      ...(createHasher !== undefined && { createHasher }),
      ...own!,
    }),
  }
}
