import { isDigest } from '../bytes/digest.ts'
import { isJsonObject, type JsonObject, parseLooseJson } from '../bytes/json.ts'
import { SpindleError } from '../errors.ts'
import type { Descriptor } from '../types.ts'
import { DOCKER_LIST_TYPE, DOCKER_MANIFEST_TYPE, INDEX_TYPE, MANIFEST_TYPE } from './media-types.ts'

/** A manifest as far as an application needs it. */
export interface ArtifactManifest {
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly annotations: Readonly<Record<string, string>>
}

const KNOWN_TYPES: ReadonlySet<unknown> = new Set([
  undefined,
  MANIFEST_TYPE,
  INDEX_TYPE,
  DOCKER_MANIFEST_TYPE,
  DOCKER_LIST_TYPE,
])

/**
 * A manifest, or the entries of an index, from bytes that are checked already.
 *
 * More is taken than is right: no `mediaType`, as Spin's CLI leaves it out, and control
 * characters as they are, as it doesn't escape them.
 */
export function parseArtifact(
  bytes: Uint8Array,
): ArtifactManifest | { readonly entries: readonly Descriptor[] } {
  const value = parseLooseJson(bytes, 'the manifest')
  if (!isJsonObject(value) || value['schemaVersion'] !== 2)
    throw invalid('it is no OCI manifest of schema version 2')
  if (!KNOWN_TYPES.has(value['mediaType']))
    throw invalid(`its type ${JSON.stringify(value['mediaType']).slice(0, 100)} is not known`)
  if (Array.isArray(value['manifests']))
    return {
      entries: value['manifests'].map((entry, i) => parseDescriptor(entry, `manifests[${i}]`)),
    }
  if (!Array.isArray(value['layers'])) throw invalid('it has no layers')
  return {
    config: parseDescriptor(value['config'], 'config'),
    layers: value['layers'].map((layer, i) => parseDescriptor(layer, `layers[${i}]`)),
    annotations: parseAnnotations(value['annotations']),
  }
}

function parseDescriptor(value: unknown, place: string): Descriptor {
  if (!isJsonObject(value)) throw invalid(`${place} is no descriptor`)
  const { mediaType, digest, size, platform } = value
  if (typeof mediaType !== 'string') throw invalid(`${place} has no mediaType`)
  if (!isDigest(digest)) throw invalid(`${place} has no valid digest`)
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw invalid(`${place} has no valid size`)
  return { mediaType, digest, size, ...parsePlatform(platform) }
}

function parsePlatform(value: unknown): Pick<Descriptor, 'platform'> {
  if (!isJsonObject(value)) return {}
  const { architecture, os } = value
  return typeof architecture === 'string' && typeof os === 'string'
    ? { platform: { architecture, os } }
    : {}
}

function parseAnnotations(value: unknown): Readonly<Record<string, string>> {
  const object: JsonObject = isJsonObject(value) ? value : {}
  return Object.fromEntries(
    Object.entries(object).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  )
}

function invalid(problem: string): SpindleError {
  return new SpindleError(
    'ERR_CONTENT_INVALID',
    `the manifest can't be read: ${problem}; is this a Spin application?`,
  )
}
