import { ResponseError, SpindleError } from '../errors.ts'
import { isStream, sizeOf, wrongSize } from '../bytes/stream.ts'
import { SOURCE_CHANGED } from '../http/body.ts'
import { discard } from '../http/response-body.ts'
import { hasRegistryCode } from '../oci/error-codes.ts'
import type { BodySource, Descriptor, OperationOptions } from '../types.ts'
import type { RepositoryContext, UploadSession } from './context.ts'
import { resolveLocation, pushChunks } from './upload-chunks.ts'
import { completeUpload, scopeAt } from './upload-put.ts'

/**
 * Uploads a blob: POST for a session, then one PUT. All registries accept that; only some accept
 * chunks. A failed upload is repeated in a new session: the old one may have a part of it.
 * @see Distribution Spec 1.1, Pushing Blobs
 */
export async function pushBlob(
  context: RepositoryContext,
  expected: Descriptor,
  body: BodySource,
  options: OperationOptions,
): Promise<void> {
  const { signal } = options
  const size = sizeOf(body) ?? expected.size
  if (size !== expected.size)
    throw wrongSize(`the source of ${expected.digest}`, expected.size, size, SOURCE_CHANGED)
  let isWhole = false
  for (let attempt = 1; ; attempt++) {
    const session = await takeSession(context, expected, options)
    try {
      const chunk = isWhole ? undefined : chunkSizeFor(context, session, expected)
      if (chunk === undefined)
        return await completeUpload(context, session.location, expected, body, options)
      const done = await pushChunks(context, session, expected, body, { ...options, chunk })
      if (done || isStream(body)) {
        if (done) return
        throw new SpindleError(
          'ERR_UNSUPPORTED',
          `${session.location.host} does not support chunks; leave out "chunkSize", or pass a body that can be opened again`,
        )
      }
      // Sends the blob in one request instead. This does not count as an attempt.
      isWhole = true
      attempt--
      abandon(context, session.location)
    } catch (error) {
      abandon(context, session.location)
      signal?.throwIfAborted()
      if (
        isStream(body) ||
        !(await context.transport.again(error, attempt, { signal, also: isLostSession }))
      )
        throw error
    }
  }
}

/** Whether the registry has lost the session, as GHCR does at times (jib #4301). */
function isLostSession(error: unknown): boolean {
  return (
    hasRegistryCode(error, 'BLOB_UPLOAD_UNKNOWN') ||
    (error instanceof ResponseError && error.status === 404 && error.method !== 'POST')
  )
}

/** Most chunks of one blob: the number of parts that S3 accepts for one object. */
const MAX_CHUNKS = 10_000
/**
 * Largest minimum chunk size accepted from a registry, in bytes: each chunk is buffered. S3
 * requires 5 MiB.
 */
const MAX_LEAST_CHUNK = 64 * 1024 * 1024

function chunkSizeFor(
  { chunkSize }: RepositoryContext,
  { location, minLength, maxLength }: UploadSession,
  { digest, size }: Descriptor,
): number | undefined {
  const requested = chunkSize ?? (size > maxLength ? maxLength : undefined)
  if (requested === undefined) return undefined
  if (requested < minLength && minLength > MAX_LEAST_CHUNK && size > minLength)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `${location.host} requires chunks of at least ${minLength} bytes, more than ${MAX_LEAST_CHUNK}: leave out "chunkSize"`,
    )
  const chunk = Math.min(Math.max(requested, minLength), maxLength)
  if (chunk < requested || chunkSize === undefined)
    if (size > chunk * MAX_CHUNKS)
      throw new SpindleError(
        'ERR_LIMIT_EXCEEDED',
        `${location.host} accepts at most ${maxLength} bytes per chunk, so ${digest} would need more than ${MAX_CHUNKS} requests: push smaller blobs, or ask its operator to allow larger chunks`,
      )
  return size > chunk ? chunk : undefined
}

async function takeSession(
  context: RepositoryContext,
  { digest }: Descriptor,
  { signal }: OperationOptions,
): Promise<UploadSession> {
  const open = context.sessions.get(digest)
  context.sessions.delete(digest)
  if (open !== undefined) return open
  const { transport, base, scope } = context
  const url = new URL('blobs/uploads/', await base(signal))
  const response = await transport.fetch({
    method: 'POST',
    url,
    scope: scope('pull', 'push'),
    signal,
  })
  return readSession(response, url)
}

function readSession(response: Response, url: URL): UploadSession {
  discard(response)
  /** A positive integer in a header. */
  const length = (name: string): number | undefined => {
    const text = response.headers.get(name)?.trim() ?? ''
    return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined
  }
  return {
    location: resolveLocation(response.headers.get('location'), url, response.status),
    minLength: length('oci-chunk-min-length') ?? 1,
    maxLength: length('oci-chunk-max-length') ?? Infinity,
  }
}

/** Deletes the session of a failed upload. Registries otherwise keep it for hours. */
function abandon(context: RepositoryContext, location: URL): void {
  scopeAt(context, location)
    .then((scope) =>
      context.transport.fetch({ method: 'DELETE', url: location, once: true, ...scope }),
    )
    .then(discard)
    .catch(() => {})
}

/**
 * Mounts a blob from another repository of the registry.
 *
 * A registry that does not mount it opens an upload session instead, which the next push uses.
 * @see Distribution Spec 1.1, Mounting a blob from another repository
 */
export async function mountBlob(
  context: RepositoryContext,
  target: Descriptor,
  fromRepository: string,
  { signal }: OperationOptions,
): Promise<boolean> {
  const { transport, base, scope, sessions, reference } = context
  const url = new URL('blobs/uploads/', await base(signal))
  url.searchParams.set('mount', target.digest)
  url.searchParams.set('from', fromRepository)
  try {
    const response = await transport.fetch({
      method: 'POST',
      url,
      scope: [
        scope('pull', 'push'),
        { registry: reference.registry, repository: fromRepository, actions: ['pull'] },
      ],
      signal,
    })
    if (response.status !== 202) {
      discard(response)
      return response.status === 201
    }
    sessions.set(target.digest, readSession(response, url))
  } catch (error) {
    // No access to that repository, or no support for mounts: a plain push succeeds or reports why
    // not.
    if (!(error instanceof ResponseError)) throw error
  }
  return false
}
