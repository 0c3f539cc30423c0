import { ResponseError, SpindleError } from '../errors.ts'
import { algorithmOf, digestBy, isDigest } from '../bytes/digest.ts'
import { isJsonObject, parseLooseJson } from '../bytes/json.ts'
import { readExactly } from '../bytes/stream.ts'
import { readVerified, wrongDigest } from '../bytes/verified.ts'
import { bodyLength } from '../http/content-coding.ts'
import { discard, fetchBuffered } from '../http/response-body.ts'
import { withRetries } from '../http/retry.ts'
import { hasRegistryCode } from '../oci/error-codes.ts'
import {
  assertNotSchema1,
  isManifestType,
  MAX_MANIFEST_BYTES,
  MANIFEST_TYPES,
} from '../oci/manifest.ts'
import { isTag } from '../oci/reference.ts'
import type { BodySource, Descriptor, Digest, OperationOptions, Transport } from '../types.ts'
import type { RepositoryContext } from './context.ts'
import { sendHead } from './head.ts'
import { assertStored } from './upload-put.ts'

/** Sent with HEAD too: docker-registry 2.8 and GHCR answer 404 for an OCI manifest without it. */
const ACCEPT = { accept: MANIFEST_TYPES.join(', ') }

/** A manifest as received, verified if it was requested by digest. */
export interface ReceivedManifest {
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array<ArrayBuffer>
}

async function manifestUrl(
  { base }: RepositoryContext,
  ref: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  if (!isTag(ref) && !isDigest(ref))
    throw new SpindleError(
      'ERR_REFERENCE_INVALID',
      `${JSON.stringify(ref)} is neither a tag nor a digest`,
    )
  return `${await base(signal)}manifests/${ref}`
}

/** `application/json; charset=utf-8` → `application/json` */
export function mediaTypeOf(response: Response): string {
  return (response.headers.get('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase()
}

/** The requested digest, or for a tag the one in `Docker-Content-Digest`. */
function namedDigest(ref: string, response: Response): Digest | undefined {
  return [ref, response.headers.get('docker-content-digest')].find(isDigest)
}

/**
 * Resolves a tag or digest. `Docker-Content-Digest` is trusted only here: bytes are verified when
 * they are fetched. HEAD saves the bytes; if it is inconclusive, GET follows.
 * @see Distribution Spec 1.1, Pulling manifests
 */
export async function resolveManifest(
  context: RepositoryContext,
  ref: string,
  options: OperationOptions,
): Promise<Descriptor> {
  const { descriptor } = await requestHead(context, ref, options)
  return descriptor ?? (await getManifest(context, ref, options)).descriptor
}

/**
 * Whether the registry has a manifest. A 404 to HEAD counts: at worst the manifest is pushed again.
 */
export async function hasManifest(
  context: RepositoryContext,
  digest: Digest,
  options: OperationOptions,
): Promise<boolean> {
  const { descriptor, status } = await requestHead(context, digest, options)
  if (descriptor !== undefined || status === 404) return descriptor !== undefined
  try {
    await getManifest(context, digest, options)
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}

async function requestHead(
  context: RepositoryContext,
  ref: string,
  { signal }: OperationOptions,
): Promise<{ readonly descriptor?: Descriptor; readonly status?: number | undefined }> {
  const { response, status } = await sendHead(context.transport, {
    url: await manifestUrl(context, ref, signal),
    headers: ACCEPT,
    scope: context.scope('pull'),
    signal,
  })
  if (response === undefined) return { status }
  const mediaType = mediaTypeOf(response)
  const digest = namedDigest(ref, response)
  const size = bodyLength(response) ?? 0
  // Headers that a page can't read, or that a registry leaves out, are taken from the bytes by GET.
  const isComplete = digest !== undefined && size > 0 && isManifestType(mediaType)
  return isComplete ? { descriptor: { mediaType, digest, size } } : {}
}

/**
 * Fetches a manifest by tag or digest, bounded, and verified if requested by digest.
 * @throws `ERR_CONTENT_INVALID` when its `mediaType` differs from the Content-Type.
 */
export async function getManifest(
  context: RepositoryContext,
  ref: string,
  { signal, createHasher }: OperationOptions,
  expected?: Descriptor,
): Promise<ReceivedManifest> {
  const { transport, scope } = context
  const what = `the manifest ${ref} of ${context.reference.repository}`
  const request = {
    url: await manifestUrl(context, ref, signal),
    headers: ACCEPT,
    scope: scope('pull'),
    signal,
  }
  const { response, bytes } = await fetchBuffered(transport, request, MAX_MANIFEST_BYTES, what)
  if (expected !== undefined) await readExactly(bytes, expected.size, what)
  const named = namedDigest(ref, response)
  const digest = await digestBy(createHasher, bytes, named && algorithmOf(named))
  if (isDigest(ref) && digest !== ref) throw wrongDigest(what, digest)
  const mediaType = checkType(bytes, mediaTypeOf(response), what, transport)
  return { descriptor: expected ?? { mediaType, digest, size: bytes.length }, bytes }
}

/**
 * Requires the media type in the document to match the Content-Type, so that all readers agree on
 * it.
 */
function checkType(
  bytes: Uint8Array,
  delivered: string,
  what: string,
  { redact = (text) => text }: Transport,
): string {
  const document = parseLooseJson(bytes, what)
  assertNotSchema1(what, delivered, document)
  const said = isJsonObject(document) ? document['mediaType'] : undefined
  if (said === undefined || said === delivered) return delivered
  throw new SpindleError(
    'ERR_CONTENT_INVALID',
    redact(
      `${what} has the "mediaType" ${JSON.stringify(said)}, but the Content-Type ${JSON.stringify(delivered)}`,
    ),
  )
}

/**
 * Puts a manifest under its digest or a tag. Retries if the registry does not know its last blobs
 * yet.
 * @returns Whether the registry processed the manifest's subject (`OCI-Subject`).
 * @see Distribution Spec 1.1, Pushing Manifests
 */
export async function putManifest(
  context: RepositoryContext,
  { descriptor, bytes }: ReceivedManifest,
  ref: string,
  { signal }: OperationOptions,
): Promise<boolean> {
  const { transport, scope } = context
  return withRetries(transport, { signal, only: isTooEarly }, async () => {
    const response = await transport.fetch({
      method: 'PUT',
      url: await manifestUrl(context, ref, signal),
      headers: { 'content-type': descriptor.mediaType },
      body: bytes,
      scope: scope('pull', 'push'),
      signal,
    })
    discard(response)
    assertStored(response, descriptor)
    return response.headers.get('oci-subject') !== null
  })
}

/** Registries answer so while a blob that was just uploaded is not visible yet. */
function isTooEarly(error: unknown): boolean {
  return hasRegistryCode(error, 'MANIFEST_BLOB_UNKNOWN')
}

/** Buffers and verifies a manifest to push: no registry accepts more than 4 MiB. */
export async function readManifestBody(
  body: BodySource,
  expected: Descriptor,
  { signal }: OperationOptions,
): Promise<ReceivedManifest> {
  if (expected.size > MAX_MANIFEST_BYTES)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `the manifest ${expected.digest} has ${expected.size} bytes; registries take ${MAX_MANIFEST_BYTES}`,
    )
  return { descriptor: expected, bytes: await readVerified(body, expected, signal) }
}

/** Deletes a manifest and its tags. */
export async function deleteManifest(
  { transport, base, scope }: RepositoryContext,
  digest: Digest,
  { signal }: OperationOptions,
): Promise<void> {
  const response = await transport.fetch({
    method: 'DELETE',
    url: `${await base(signal)}manifests/${digest}`,
    scope: scope('delete'),
    signal,
  })
  discard(response)
}

/** Whether a registry answered 404. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ResponseError && error.code === 'ERR_NOT_FOUND'
}
