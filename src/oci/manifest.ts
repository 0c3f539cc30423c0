import { SpindleError } from '../errors.ts'
import { invalid } from '../bytes/fields.ts'
import { isJsonObject, parseLooseJson } from '../bytes/json.ts'
import { encodeUtf8 } from '../bytes/text.ts'
import type { Descriptor } from '../types.ts'
import { parseAnnotations, parseDescriptor } from './descriptor.ts'

export const IMAGE_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
export const IMAGE_INDEX = 'application/vnd.oci.image.index.v1+json'
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json'
/** Sent with every manifest GET and HEAD: some registries answer 404 to an OCI manifest otherwise. */
export const MANIFEST_TYPES: readonly string[] = [
  IMAGE_MANIFEST,
  IMAGE_INDEX,
  DOCKER_MANIFEST,
  DOCKER_LIST,
]

/** What images had before 2016: `…manifest.v1+json`, and signed `…manifest.v1+prettyjws`. */
const SCHEMA_1_TYPE = /^application\/vnd\.docker\.distribution\.manifest\.v1\+/

export const IMAGE_CONFIG = 'application/vnd.oci.image.config.v1+json'
/** `{}`: the config of an artifact that has none. @see OCI Image Spec 1.1, Guidance for an Empty Descriptor */
export const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json'
export const EMPTY_DESCRIPTOR: Descriptor = {
  mediaType: EMPTY_TYPE,
  digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
  size: 2,
}
export const EMPTY_BYTES: Uint8Array<ArrayBuffer> = encodeUtf8('{}')

/** What registries take as a manifest at least, and none is known to take more. @see Distribution Spec 1.1, Pushing Manifests */
export const MAX_MANIFEST_BYTES: number = 4 * 1024 * 1024

/** A ceiling on what one manifest lists, far above what 4 MiB of real descriptors hold. */
const MAX_ENTRIES = 65_536

export interface ImageManifest {
  readonly kind: 'manifest'
  /** As the manifest says, or the type it was delivered as. */
  readonly mediaType: string
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly artifactType?: string
  readonly subject?: Descriptor
  readonly annotations?: Readonly<Record<string, string>>
}

interface ImageIndex {
  readonly kind: 'index'
  readonly mediaType: string
  readonly manifests: readonly Descriptor[]
  readonly artifactType?: string
  readonly subject?: Descriptor
  readonly annotations?: Readonly<Record<string, string>>
}

export type Manifest = ImageManifest | ImageIndex

export function isManifestType(mediaType: string): boolean {
  return MANIFEST_TYPES.includes(mediaType)
}

/**
 * Refuses Docker's schema 1 by name: such manifests have no descriptors.
 * @param mediaType How it was delivered, or as what it is listed.
 * @throws `ERR_CONTENT_INVALID`
 * @see https://distribution.github.io/distribution/spec/deprecated-schema-v1/
 */
export function assertNotSchema1(
  what: string,
  mediaType: string | undefined,
  document?: unknown,
): void {
  if (
    SCHEMA_1_TYPE.test(mediaType ?? '') ||
    (isJsonObject(document) &&
      (document['schemaVersion'] === 1 || SCHEMA_1_TYPE.test(String(document['mediaType']))))
  )
    throw invalid(
      what,
      'is a Docker schema 1 manifest, a format that registries and tools have dropped; push the image again with a current tool',
    )
}

function isIndexType(mediaType: string): boolean {
  return mediaType === IMAGE_INDEX || mediaType === DOCKER_LIST
}

/**
 * Reads a manifest or index.
 *
 * A missing `mediaType` is taken from how it was delivered, else from its shape; raw control
 * characters in strings, which Spin's CLI wrote, are let pass.
 * @param mediaType How it was delivered; one of another kind than the document says is refused.
 * @throws `ERR_CONTENT_INVALID`
 * @see OCI Image Spec 1.1, Image Manifest and Image Index
 */
export function parseManifest(
  bytes: Uint8Array,
  mediaType?: string,
  what = 'the manifest',
): Manifest {
  const document = parseLooseJson(bytes, what)
  if (!isJsonObject(document)) throw invalid(what, 'is not an object')
  assertNotSchema1(what, mediaType, document)
  if (document['schemaVersion'] !== 2)
    throw invalid(
      what,
      `has schemaVersion ${JSON.stringify(document['schemaVersion'])}; only 2 is known`,
    )
  const said = document['mediaType']
  if (said !== undefined && (typeof said !== 'string' || !isManifestType(said)))
    throw invalid(what, `is of the type ${JSON.stringify(said)}, which is no manifest`)
  if (
    said !== undefined &&
    mediaType !== undefined &&
    isManifestType(mediaType) &&
    said !== mediaType
  ) {
    throw invalid(what, `says that it is ${said}, but was delivered as ${mediaType}`)
  }
  const type =
    said ??
    (mediaType !== undefined && isManifestType(mediaType)
      ? mediaType
      : 'manifests' in document
        ? IMAGE_INDEX
        : IMAGE_MANIFEST)
  const common = {
    mediaType: type,
    ...(typeof document['artifactType'] === 'string' && document['artifactType'] !== ''
      ? { artifactType: document['artifactType'] }
      : {}),
    ...(document['subject'] === undefined || document['subject'] === null
      ? {}
      : { subject: parseDescriptor(document['subject'], `the subject of ${what}`) }),
    ...(document['annotations'] === undefined || document['annotations'] === null
      ? {}
      : { annotations: parseAnnotations(document['annotations'], what) }),
  }
  if (isIndexType(type)) {
    // A document of both kinds would be another thing to another reader.
    if ('layers' in document || 'config' in document) throw invalid(what, 'is an index with layers')
    return {
      kind: 'index',
      ...common,
      manifests: parseList(document['manifests'], 'manifests', what),
    }
  }
  if ('manifests' in document) throw invalid(what, 'is an image manifest with manifests')
  return {
    kind: 'manifest',
    ...common,
    config: parseDescriptor(document['config'], `the config of ${what}`),
    layers: parseList(document['layers'] ?? [], 'layers', what),
  }
}

function parseList(value: unknown, key: string, what: string): Descriptor[] {
  if (!Array.isArray(value)) throw invalid(what, `has no list of ${key}`)
  if (value.length > MAX_ENTRIES)
    throw new SpindleError('ERR_LIMIT_EXCEEDED', `${what} lists more than ${MAX_ENTRIES} ${key}`)
  return value.map((entry, index) => parseDescriptor(entry, `${key}[${index}] of ${what}`))
}

/** What must be there before a manifest is: its config and layers, or its manifests. Not its subject. */
export function successorsOf(manifest: Manifest): Descriptor[] {
  return manifest.kind === 'index' ? [...manifest.manifests] : [manifest.config, ...manifest.layers]
}

/**
 * How a manifest with a subject is listed among the referrers.
 * @see Distribution Spec 1.1, Listing Referrers
 */
export function referrerDescriptor(descriptor: Descriptor, manifest: Manifest): Descriptor {
  const artifactType =
    manifest.artifactType ?? (manifest.kind === 'manifest' ? manifest.config.mediaType : undefined)
  return {
    mediaType: descriptor.mediaType,
    digest: descriptor.digest,
    size: descriptor.size,
    ...(artifactType !== undefined && { artifactType }),
    ...(manifest.annotations !== undefined && { annotations: manifest.annotations }),
  }
}
