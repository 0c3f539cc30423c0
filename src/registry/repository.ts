import { discard } from '../http/response-body.ts'
import { isManifestType, parseManifest } from '../oci/manifest.ts'
import { isReference, parseReference } from '../oci/reference.ts'
import type {
  Descriptor,
  KnownBlobsStore,
  MountStore,
  OperationOptions,
  PacedStore,
  Reference,
  ReferrerStore,
  Store,
  WholeStore,
} from '../types.ts'
import { createContext, type RepositoryContext, type RepositoryOptions } from './context.ts'
import { deleteManifest, getManifest } from './manifests.ts'
import { createReader } from './reader.ts'
import { removeFromReferrersTag } from './referrers-tag.ts'
import { listTags } from './tags.ts'
import { createWriter } from './writer.ts'

export { createRelayFetch, type RelayFetchOptions } from '../http/relay-fetch.ts'
export { createTransport } from '../http/transport.ts'
export { exchangeAzureToken, type AzureExchangeOptions } from './azure-exchange.ts'
export { createMirrorFetch, type Mirror, type MirrorFetchOptions } from './mirror-fetch.ts'
export type { RepositoryOptions } from './context.ts'
export type * from './remote-types.ts'
export type {
  KnownBlobsStore,
  MountStore,
  PacedStore,
  ReadStore,
  ReferrerStore,
  Store,
  WholeStore,
} from '../types.ts'

/** A repository of a registry, as a store. */
export interface Repository
  extends Store, WholeStore, ReferrerStore, MountStore, KnownBlobsStore, PacedStore {
  /** The repository, as parsed. */
  readonly reference: Reference
  /** Lists all tags, in code unit order. */
  tags(options?: OperationOptions): AsyncIterable<string>
  /** Deletes a manifest or blob by digest. The tags of a manifest are deleted with it. */
  delete(target: Descriptor, options?: OperationOptions): Promise<void>
}

/**
 * Opens a repository as a store. No request is made yet.
 *
 * Exported from the main entry point and `spindle/repository`.
 *
 * @example List the tags of a repository
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
  if (typeof at !== 'string' && !isReference(at))
    throw new TypeError('a repository must be a string or a parsed reference')
  const reference =
    typeof at === 'string' ? parseReference(at, { defaultRegistry: 'docker.io' }) : at
  const context = createContext(reference, options)
  return {
    reference,
    ...createReader(context),
    ...createWriter(context),
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

async function deleteBlob(
  { transport, base, scope }: RepositoryContext,
  { digest }: Descriptor,
  { signal }: OperationOptions,
): Promise<void> {
  const response = await transport.fetch({
    method: 'DELETE',
    url: `${await base(signal)}blobs/${digest}`,
    scope: scope('delete'),
    signal,
  })
  discard(response)
}
