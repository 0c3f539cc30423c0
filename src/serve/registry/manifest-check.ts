import { isDigest } from '../../bytes/digest.ts'
import { isJsonObject, parseJson } from '../../bytes/json.ts'
import type { JsonObject } from '../../bytes/json.ts'
import type { Digest } from '../../types.ts'
import { Refusal } from '../http/refusal.ts'

/** What a registry must know of a manifest that it takes. */
export interface CheckedManifest {
  readonly mediaType: string
  /** Blobs it can't be used without. */
  readonly blobs: readonly Digest[]
  /** Manifests it lists. */
  readonly manifests: readonly Digest[]
  readonly subject?: Digest
  /** For the list of referrers. */
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
}

const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'

// Only JSON types: what is pushed is answered with the type it came with, and must never be a page or a script.
const MANIFEST_TYPE = /^application\/(?:[\w.-]+\+)?json$/i

/**
 * Reads a manifest as far as a registry must.
 *
 * Unknown types and fields are taken as they are; descriptors in the known places must be whole.
 * @throws `MANIFEST_INVALID`, saying what is wrong and where.
 * @see OCI Distribution Spec 1.1, Pushing Manifests
 */
export function checkManifest(bytes: Uint8Array, contentType: string | null): CheckedManifest {
  const manifest = parse(bytes)
  const said = contentType?.split(';', 1)[0]?.trim() ?? ''
  const inside = manifest['mediaType']
  if (inside !== undefined && typeof inside !== 'string')
    throw invalid('"mediaType" is not a string')
  const isImage = 'layers' in manifest || 'config' in manifest
  const isIndex = 'manifests' in manifest
  // One document read as two things is how a scanner is shown another image than the runtime.
  if (isImage && isIndex)
    throw invalid('it has both "manifests" and "layers" or "config": that is ambiguous')
  const mediaType =
    said !== '' ? said : (inside ?? (isIndex ? OCI_INDEX : isImage ? OCI_MANIFEST : ''))
  if (!MANIFEST_TYPE.test(mediaType))
    throw invalid('send the media type of the manifest as Content-Type; it must be a JSON type')
  if (inside !== undefined && inside !== mediaType)
    throw invalid(
      `"mediaType" is ${inside.slice(0, 200)}, but Content-Type says ${mediaType.slice(0, 200)}`,
    )
  const version = manifest['schemaVersion']
  if (version !== undefined ? version !== 2 : isKnown(mediaType))
    throw invalid('"schemaVersion" must be 2')
  if (mediaType === OCI_MANIFEST && !(isImage && 'config' in manifest))
    throw invalid('an image manifest must have "config" and "layers"')
  if (mediaType === OCI_INDEX && !isIndex) throw invalid('an image index must have "manifests"')

  const config =
    manifest['config'] === undefined ? undefined : readDescriptor(manifest['config'], 'config')
  const layers = [...readDescriptors(manifest, 'layers'), ...readDescriptors(manifest, 'blobs')]
  const manifests = readDescriptors(manifest, 'manifests')
  const subject =
    manifest['subject'] === undefined
      ? undefined
      : readDescriptor(manifest['subject'], 'subject').digest
  const artifactType = readArtifactType(manifest, isIndex ? undefined : config?.mediaType)
  const annotations = readAnnotations(manifest['annotations'])
  return {
    mediaType,
    blobs: [
      ...(config === undefined ? [] : [config]),
      ...layers.filter(({ mediaType }) => !isElsewhere(mediaType)),
    ].map(({ digest }) => digest),
    manifests: manifests.map(({ digest }) => digest),
    ...(subject !== undefined && { subject }),
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations !== undefined && { annotations }),
  }
}

function parse(bytes: Uint8Array): JsonObject {
  let value: unknown
  try {
    value = parseJson(bytes, 'the manifest')
  } catch (cause) {
    throw invalid((cause as Error).message, cause)
  }
  if (!isJsonObject(value)) throw invalid('it is not a JSON object')
  return value
}

function isKnown(mediaType: string): boolean {
  return /^application\/vnd\.(?:oci\.image|docker\.distribution)\./.test(mediaType)
}

/** Layers that may not be pushed, or stay where they are, by their type. @see OCI Image Spec 1.1, Non-Distributable Layers */
function isElsewhere(mediaType: string): boolean {
  return mediaType.includes('.nondistributable.') || mediaType.includes('.foreign.')
}

function readDescriptors(
  manifest: JsonObject,
  field: string,
): { mediaType: string; digest: Digest }[] {
  const list = manifest[field]
  if (list === undefined || list === null) return []
  if (!Array.isArray(list)) throw invalid(`"${field}" is not a list`)
  return list.map((entry, i) => readDescriptor(entry, `${field}[${i}]`))
}

function readDescriptor(value: unknown, place: string): { mediaType: string; digest: Digest } {
  if (!isJsonObject(value)) throw invalid(`"${place}" is not a descriptor`)
  const { mediaType, digest, size } = value
  if (typeof mediaType !== 'string') throw invalid(`"${place}.mediaType" is not a string`)
  if (!isDigest(digest)) throw invalid(`"${place}.digest" is not a sha256 or sha512 digest`)
  if (!Number.isSafeInteger(size) || (size as number) < 0)
    throw invalid(`"${place}.size" is not a number of bytes`)
  return { mediaType, digest }
}

function readArtifactType(manifest: JsonObject, fallback: string | undefined): string | undefined {
  const type = manifest['artifactType']
  if (type !== undefined && typeof type !== 'string')
    throw invalid('"artifactType" is not a string')
  return type === undefined || type === '' ? fallback : type
}

function readAnnotations(value: unknown): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined
  if (!isJsonObject(value)) throw invalid('"annotations" is not an object')
  const entries = Object.entries(value)
  const wrong = entries.find(([, text]) => typeof text !== 'string')
  if (wrong !== undefined)
    throw invalid(
      `"annotations" has ${JSON.stringify(wrong[0].slice(0, 200))}, which is not a string`,
    )
  return value as Readonly<Record<string, string>>
}

function invalid(message: string, cause?: unknown): Refusal {
  return new Refusal(400, { code: 'MANIFEST_INVALID', message }, { cause })
}
