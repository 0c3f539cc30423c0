import { isDigest } from '../../bytes/digest.ts'
import { isJsonObject, parseJson } from '../../bytes/json.ts'
import type { JsonObject } from '../../bytes/json.ts'
import type { Digest } from '../../types.ts'
import { Refusal } from '../http/refusal.ts'

/** The parts of a manifest that a registry uses. */
export interface CheckedManifest {
  readonly mediaType: string
  /** Blobs that have to be in the repository. */
  readonly blobs: readonly Digest[]
  /** Manifests of an index, which have to be in the repository. */
  readonly manifests: readonly Digest[]
  readonly subject?: Digest
  /** Shown in the list of referrers. */
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
}

const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'

// JSON types only: a pull answers with the pushed type, which must not be one that browsers render or execute.
const MANIFEST_TYPE = /^application\/(?:[\w.-]+\+)?json$/i

/**
 * Validates a manifest as far as a registry needs it.
 *
 * Accepts unknown types and fields. Descriptors in known fields have to be complete.
 * @throws `MANIFEST_INVALID` with the invalid field.
 * @see OCI Distribution Spec 1.1, Pushing Manifests
 */
export function checkManifest(bytes: Uint8Array, contentType: string | null): CheckedManifest {
  const manifest = parse(bytes)
  const headerType = contentType?.split(';', 1)[0]?.trim() ?? ''
  const fieldType = manifest['mediaType']
  if (fieldType !== undefined && typeof fieldType !== 'string')
    throw invalid('"mediaType" is not a string')
  const isImage = 'layers' in manifest || 'config' in manifest
  const isIndex = 'manifests' in manifest
  // With an ambiguous document, a scanner could see another image than the runtime.
  if (isImage && isIndex)
    throw invalid('the manifest is ambiguous: it has "manifests" and also "layers" or "config"')
  const mediaType =
    headerType !== ''
      ? headerType
      : (fieldType ?? (isIndex ? OCI_INDEX : isImage ? OCI_MANIFEST : ''))
  if (!MANIFEST_TYPE.test(mediaType))
    throw invalid('Content-Type should be the media type of the manifest, which is a JSON type')
  if (fieldType !== undefined && fieldType !== mediaType)
    throw invalid(
      `"mediaType" is ${fieldType.slice(0, 200)}, but Content-Type is ${mediaType.slice(0, 200)}`,
    )
  const version = manifest['schemaVersion']
  if (version !== undefined ? version !== 2 : isKnown(mediaType))
    throw invalid('"schemaVersion" should be 2')
  if (mediaType === OCI_MANIFEST && !(isImage && 'config' in manifest))
    throw invalid('an image manifest should have "config" and "layers"')
  if (mediaType === OCI_INDEX && !isIndex) throw invalid('an image index should have "manifests"')

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
  if (!isJsonObject(value)) throw invalid('the manifest is not a JSON object')
  return value
}

function isKnown(mediaType: string): boolean {
  return /^application\/vnd\.(?:oci\.image|docker\.distribution)\./.test(mediaType)
}

/** Whether a layer is non-distributable or foreign, so that it is not in the registry. @see OCI Image Spec 1.1, Non-Distributable Layers */
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

function readDescriptor(value: unknown, path: string): { mediaType: string; digest: Digest } {
  if (!isJsonObject(value)) throw invalid(`"${path}" is not a descriptor`)
  const { mediaType, digest, size } = value
  if (typeof mediaType !== 'string') throw invalid(`"${path}.mediaType" is not a string`)
  if (!isDigest(digest)) throw invalid(`"${path}.digest" is not a sha256 or sha512 digest`)
  if (!Number.isSafeInteger(size) || (size as number) < 0)
    throw invalid(`"${path}.size" is not a number of bytes`)
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
      `the value of ${JSON.stringify(wrong[0].slice(0, 200))} in "annotations" is not a string`,
    )
  return value as Readonly<Record<string, string>>
}

function invalid(message: string, cause?: unknown): Refusal {
  return new Refusal(400, { code: 'MANIFEST_INVALID', message }, { cause })
}
