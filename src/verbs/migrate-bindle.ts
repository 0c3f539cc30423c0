import type { BindleClient } from '../bindle/client.ts'
import { type BindleId, createBindleId } from '../bindle/id.ts'
import { compareVersions, parseVersion, type Version } from '../bindle/semver.ts'
import { isSpindleError, SpindleError } from '../errors.ts'
import { formatAddress, parseReference } from '../oci/reference.ts'
import { copyGraph } from '../store/copy-graph.ts'
import type { Descriptor, Location, ReadStore, RemoteOptions } from '../types.ts'
import { openLocation } from './location.ts'
import { type BindleSource, packBindle, type PullBindleOptions } from './pull-bindle.ts'

/** Options of `migrateBindle` and `migrateBindles`. */
export interface MigrateBindleOptions extends RemoteOptions, Pick<PullBindleOptions, 'verify'> {
  /** Annotations of the manifest. They take precedence over those made from the invoice. */
  annotations?: Readonly<Record<string, string>>
  /** Reports what would be written without writing it. Default false. */
  dryRun?: boolean
}

/** Result of `migrateBindle`. */
export interface MigrateBindleResult {
  /** Id of the bindle. */
  readonly id: BindleId
  /** Name and digest of the artifact. */
  readonly reference: string
  /** Tag of the artifact, if it has one. */
  readonly tag?: string
  /** Descriptor of the artifact's manifest. */
  readonly descriptor: Descriptor
  /** `exists` when it was migrated before; `planned` with `dryRun`, when nothing was written. */
  readonly status: 'migrated' | 'exists' | 'planned'
}

/**
 * Moves an application from a Bindle server, or out of a standalone bindle, to an OCI location.
 *
 * Exported from `spindle/bindle`. Name, version, description, authors
 * and
 * the signers are kept as annotations. A second run skips what was already migrated, and gives the
 * same digest.
 *
 * @example Move one version to a registry
 * ```ts
 * await migrateBindle({ client, id: 'team/hello/1.0.0' }, 'ghcr.io/team/hello:1.0.0')
 * ```
 * @param to A reference without a tag gets the version as its tag, with `+` written as `_`.
 * @throws as `pullBindle` and `push`
 */
export async function migrateBindle(
  from: BindleSource,
  to: Location,
  options: MigrateBindleOptions = {},
): Promise<MigrateBindleResult> {
  const { packed, invoice } = await packBindle(from, options)
  const { name, version } = invoice.bindle
  const { store, ref, reference } = openLocation(withTag(to, version), options)
  const exists = await isThere(store, ref, packed.descriptor, options)
  if (!exists && options.dryRun !== true)
    await copyGraph(packed.store, store, packed.descriptor, { ...options, tag: ref })
  const place = reference === undefined ? ref : `${reference.registry}/${reference.repository}`
  return {
    id: createBindleId(name, version),
    reference: `${place}@${packed.descriptor.digest}`,
    ...(ref.startsWith('sha256:') ? {} : { tag: ref }),
    descriptor: packed.descriptor,
    status: exists ? 'exists' : options.dryRun === true ? 'planned' : 'migrated',
  }
}

/** Versions of one name, which are all listed before the first is moved. */
const MAX_VERSIONS = 10_000

/**
 * Moves every version of a name, oldest first, so that the newest is written last.
 *
 * Exported from `spindle/bindle`.
 *
 * @example Move all versions of an application
 * ```ts
 * for await (const { reference, status } of migrateBindles(
 *   { client, name: 'team/hello' },
 *   'ghcr.io/team/hello',
 * ))
 *   console.log(reference, status)
 * ```
 * @param to Reference without tag, or what makes a location for an id.
 * @throws as `migrateBindle`; `ERR_LIMIT_EXCEEDED` for more than 10 000 versions
 */
export async function* migrateBindles(
  from: { readonly client: BindleClient; readonly name: string },
  to: string | ((id: BindleId) => Location),
  options: MigrateBindleOptions = {},
): AsyncGenerator<MigrateBindleResult> {
  const versions: { id: BindleId; version: Version }[] = []
  for await (const { bindle } of from.client.query(
    from.name,
    options.signal === undefined ? {} : { signal: options.signal },
  )) {
    const version = parseVersion(bindle.version)
    // A query also finds names that contain the words.
    if (bindle.name === from.name && version !== undefined)
      versions.push({ id: createBindleId(bindle.name, bindle.version), version })
    if (versions.length > MAX_VERSIONS)
      throw new SpindleError(
        'ERR_LIMIT_EXCEEDED',
        `${from.name} has more than ${MAX_VERSIONS} versions there: migrate them one by one`,
      )
  }
  versions.sort((a, b) => compareVersions(a.version, b.version))
  for (const { id } of versions) {
    yield await migrateBindle(
      { client: from.client, id },
      typeof to === 'string' ? to : to(id),
      options,
    )
  }
}

/** Whether a tag already names the artifact, which is then complete: tags are written last. */
async function isThere(
  store: ReadStore,
  ref: string,
  { digest }: Descriptor,
  options: MigrateBindleOptions,
): Promise<boolean> {
  try {
    const found = await store.resolve(
      ref,
      options.signal === undefined ? {} : { signal: options.signal },
    )
    return found.digest === digest
  } catch (error) {
    options.signal?.throwIfAborted()
    // Writing reports other failures better.
    if (isSpindleError(error)) return false
    throw error
  }
}

function withTag(to: Location, version: string): Location {
  if (typeof to !== 'string') return to
  const reference = parseReference(to, { defaultRegistry: 'docker.io' })
  if (reference.tag !== undefined || reference.digest !== undefined) return to
  // Tags cannot contain `+`; Helm does the same.
  return parseReference(`${formatAddress(reference)}:${version.replaceAll('+', '_')}`)
}
