import { SpindleError } from '../errors.ts'
import { invalid } from '../bytes/fields.ts'
import { isJsonObject, parseLooseJson } from '../bytes/json.ts'
import { encodeUtf8 } from '../bytes/text.ts'
import type { Descriptor } from '../types.ts'
import { parseAnnotations, parseDescriptor } from './descriptor.ts'

/** Media type of an image manifest. */
export const IMAGE_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
/** Media type of an image index. */
export const IMAGE_INDEX = 'application/vnd.oci.image.index.v1+json'
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json'
/**
 * Media types of manifests. Sent with every manifest GET and HEAD: some registries answer 404
 * without them.
 */
export const MANIFEST_TYPES: readonly string[] = [
  IMAGE_MANIFEST,
  IMAGE_INDEX,
  DOCKER_MANIFEST,
  DOCKER_LIST,
]

/** Manifests of images before 2016: `…manifest.v1+json`, and signed `…manifest.v1+prettyjws`. */
const SCHEMA_1_TYPE = /^application\/vnd\.docker\.distribution\.manifest\.v1\+/

/** Media type of an image's config. */
export const IMAGE_CONFIG = 'application/vnd.oci.image.config.v1+json'
/**
 * Media type of `{}`, the config of an artifact without one.
 * @see OCI Image Spec 1.1, Guidance for an Empty Descriptor
 */
export const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json'
export const EMPTY_DESCRIPTOR: Descriptor = {
  mediaType: EMPTY_TYPE,
  digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
  size: 2,
}
export const EMPTY_BYTES: Uint8Array<ArrayBuffer> = encodeUtf8('{}')

/**
 * Largest manifest in bytes: all registries must accept this size, and none is known to accept
 * more.
 * @see Distribution Spec 1.1, Pushing Manifests
 */
export const MAX_MANIFEST_BYTES: number = 4 * 1024 * 1024

/** Most entries of one manifest, far above what 4 MiB of real descriptors hold. */
const MAX_ENTRIES = 65_536

/** An image manifest. @see OCI Image Spec 1.1, Image Manifest */
export interface ImageManifest {
  readonly kind: 'manifest'
  /** From the manifest, or the type it was delivered as. */
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

/** A manifest or index. */
export type Manifest = ImageManifest | ImageIndex

/** Whether a media type is that of an image manifest or index. */
export function isManifestType(mediaType: string): boolean {
  return MANIFEST_TYPES.includes(mediaType)
}

/**
 * Refuses Docker schema 1 manifests, which have no descriptors.
 * @param mediaType The type that it was delivered or listed as.
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
      'is a Docker schema 1 manifest, a format that registries and tools no longer support; push the image again with a current tool',
    )
}

function isIndexType(mediaType: string): boolean {
  return mediaType === IMAGE_INDEX || mediaType === DOCKER_LIST
}

/**
 * Reads a manifest or index.
 *
 * A missing `mediaType` is taken from the type it was delivered as, else from its members. Raw
 * control characters in strings are accepted: Spin's CLI wrote them.
 * @param mediaType The type that it was delivered as. Must match the document's.
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
      `has schemaVersion ${JSON.stringify(document['schemaVersion'])}; only 2 is supported`,
    )
  const declared = document['mediaType']
  if (declared !== undefined && (typeof declared !== 'string' || !isManifestType(declared)))
    throw invalid(what, `has the type ${JSON.stringify(declared)}, which is not that of a manifest`)
  if (
    declared !== undefined &&
    mediaType !== undefined &&
    isManifestType(mediaType) &&
    declared !== mediaType
  ) {
    throw invalid(what, `has the "mediaType" ${declared}, but was delivered as ${mediaType}`)
  }
  const type =
    declared ??
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
    // Readers would disagree about a document of both kinds.
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

/**
 * Content that must exist before a manifest is pushed: config and layers, or manifests. Not its
 * subject.
 */
export function successorsOf(manifest: Manifest): Descriptor[] {
  return manifest.kind === 'index' ? [...manifest.manifests] : [manifest.config, ...manifest.layers]
}

/**
 * Descriptor of a manifest in the list of referrers of its subject.
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
