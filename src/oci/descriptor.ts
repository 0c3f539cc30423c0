import { isDigest } from '../bytes/digest.ts'
import { invalid } from '../bytes/fields.ts'
import { isJsonObject } from '../bytes/json.ts'
import type { Descriptor } from '../types.ts'

/** Grammar of RFC 6838, 4.2. Checked because media types are sent as headers. */
const MEDIA_TYPE =
  /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/

function isMediaType(value: unknown): value is string {
  return typeof value === 'string' && MEDIA_TYPE.test(value)
}

/**
 * Reads a descriptor from untrusted JSON. Unknown members are dropped.
 * @throws `ERR_CONTENT_INVALID` naming `what`
 * @see OCI Image Spec 1.1, Descriptors
 */
export function parseDescriptor(value: unknown, what: string): Descriptor {
  if (!isJsonObject(value)) throw invalid(what, 'is not an object')
  const { mediaType, digest, size, artifactType, annotations, platform } = value
  if (!isMediaType(mediaType)) throw invalid(what, 'has no valid "mediaType"')
  if (!isDigest(digest))
    throw invalid(what, 'has no valid "digest"; sha256 and sha512 are supported')
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw invalid(what, 'has no valid "size"')
  return {
    mediaType,
    digest,
    size,
    ...(typeof artifactType === 'string' && artifactType !== '' ? { artifactType } : {}),
    ...(annotations === undefined || annotations === null
      ? {}
      : { annotations: parseAnnotations(annotations, what) }),
    ...(isJsonObject(platform) &&
    typeof platform['architecture'] === 'string' &&
    typeof platform['os'] === 'string'
      ? { platform: { architecture: platform['architecture'], os: platform['os'] } }
      : {}),
  }
}

/** Reads annotations: an object of strings. Keys like `__proto__` are kept as own keys. */
export function parseAnnotations(value: unknown, what: string): Readonly<Record<string, string>> {
  if (!isJsonObject(value)) throw invalid(what, 'has "annotations" that are not an object')
  return Object.fromEntries(
    Object.entries(value).map(([key, text]) => {
      if (typeof text !== 'string')
        throw invalid(what, `has the annotation ${JSON.stringify(key)}, which is not a string`)
      return [key, text]
    }),
  )
}
