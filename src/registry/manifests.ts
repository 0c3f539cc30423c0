import { ResponseError, SpindleError } from '../errors.ts'
import { algorithmOf, digestBy, isDigest } from '../bytes/digest.ts'
import { isJsonObject, parseLooseJson } from '../bytes/json.ts'
import { readExactly } from '../bytes/stream.ts'
import { readVerified, wrongDigest } from '../bytes/verified.ts'
import { bodyLength } from '../http/content-coding.ts'
import { discard, fetchWhole } from '../http/response-body.ts'
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
import { assertKept } from './upload-put.ts'

/** On HEAD too: docker-registry 2.8 answers 404 to an OCI manifest otherwise, GHCR as well. */
const ACCEPT = { accept: MANIFEST_TYPES.join(', ') }

/** A manifest as it came: checked against the digest that was asked for, if it was one. */
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

/** What was asked for, or what the registry says that the tag names. */
function namedDigest(ref: string, response: Response): Digest | undefined {
  return [ref, response.headers.get('docker-content-digest')].find(isDigest)
}

/**
 * What a tag or digest names. `Docker-Content-Digest` is believed here only: the bytes are checked
 * when they are fetched. HEAD saves the bytes; where it fails, GET decides.
 * @see Distribution Spec 1.1, Pulling manifests
 */
export async function resolveManifest(
  context: RepositoryContext,
  ref: string,
  options: OperationOptions,
): Promise<Descriptor> {
  const { descriptor } = await askByHead(context, ref, options)
  return descriptor ?? (await getManifest(context, ref, options)).descriptor
}

/** Whether a manifest is there. A HEAD that is answered 404 counts: at worst it is pushed again. */
export async function hasManifest(
  context: RepositoryContext,
  digest: Digest,
  options: OperationOptions,
): Promise<boolean> {
  const { descriptor, status } = await askByHead(context, digest, options)
  if (descriptor !== undefined || status === 404) return descriptor !== undefined
  try {
    await getManifest(context, digest, options)
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}

async function askByHead(
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
  // What a page may not read, or a registry leaves out, the bytes tell.
  const isWhole = digest !== undefined && size > 0 && isManifestType(mediaType)
  return isWhole ? { descriptor: { mediaType, digest, size } } : {}
}

/**
 * A manifest by tag or digest, bounded and, by digest, checked.
 * @throws `ERR_CONTENT_INVALID` when it says to be of another type than it came as.
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
  const { response, bytes } = await fetchWhole(transport, request, MAX_MANIFEST_BYTES, what)
  if (expected !== undefined) await readExactly(bytes, expected.size, what)
  const named = namedDigest(ref, response)
  const digest = await digestBy(createHasher, bytes, named && algorithmOf(named))
  if (isDigest(ref) && digest !== ref) throw wrongDigest(what, digest)
  const mediaType = checkType(bytes, mediaTypeOf(response), what, transport)
  return { descriptor: expected ?? { mediaType, digest, size: bytes.length }, bytes }
}

/** Two readers must not take the same bytes for two things. */
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
      `${what} says that it is ${JSON.stringify(said)}, but was delivered as ${JSON.stringify(delivered)}`,
    ),
  )
}

/**
 * Puts a manifest under its digest, or a tag. Registries that haven't noticed its last blobs yet are
 * given a moment.
 * @returns Whether the registry says that it has noted the manifest's subject.
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
    assertKept(response, descriptor)
    return response.headers.get('oci-subject') !== null
  })
}

function isTooEarly(error: unknown): boolean {
  return hasRegistryCode(error, 'MANIFEST_BLOB_UNKNOWN')
}

/** The bytes of a manifest that is to be pushed, in memory: no registry takes more than 4 MiB. */
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

export function isNotFound(error: unknown): boolean {
  return error instanceof ResponseError && error.code === 'ERR_NOT_FOUND'
}
