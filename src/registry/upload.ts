import { ResponseError, SpindleError } from '../errors.ts'
import { isStream, sizeOf, wrongSize } from '../bytes/stream.ts'
import { SOURCE_CHANGED } from '../http/body.ts'
import { discard } from '../http/response-body.ts'
import { hasRegistryCode } from '../oci/error-codes.ts'
import type { BodySource, Descriptor, OperationOptions } from '../types.ts'
import type { RepositoryContext, UploadSession } from './context.ts'
import { resolveLocation, pushChunks } from './upload-chunks.ts'
import { putWhole, scopeAt } from './upload-put.ts'

/**
 * Uploads a blob: POST for a session, then one PUT. All registries take that; chunks only some.
 * What breaks is begun again in a fresh session: the old one may hold half of it.
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
  let whole = false
  for (let attempt = 1; ; attempt++) {
    const session = await takeSession(context, expected, options)
    try {
      const chunk = whole ? undefined : chunkSizeFor(context, session, expected)
      if (chunk === undefined)
        return await putWhole(context, session.location, expected, body, options)
      const done = await pushChunks(context, session, expected, body, { ...options, chunk })
      if (done || isStream(body)) {
        if (done) return
        throw new SpindleError(
          'ERR_UNSUPPORTED',
          `${session.location.host} does not take chunks; leave out "chunkSize", or give a body that can be opened again`,
        )
      }
      // Not the chunks' fault alone: the same bytes go in one request now, and this was no attempt.
      whole = true
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

/** GHCR forgets sessions now and then (jib #4301). */
function isLostSession(error: unknown): boolean {
  return (
    hasRegistryCode(error, 'BLOB_UPLOAD_UNKNOWN') ||
    (error instanceof ResponseError && error.status === 404 && error.method !== 'POST')
  )
}

/** Chunks that a registry may split one blob into: as many parts as S3 takes of one object. */
const MAX_CHUNKS = 10_000
/** Largest chunk that a registry may ask for, as each is buffered. Above the 5 MiB that S3 asks for. */
const MAX_LEAST_CHUNK = 64 * 1024 * 1024

function chunkSizeFor(
  { chunkSize }: RepositoryContext,
  { location, minLength, maxLength }: UploadSession,
  { digest, size }: Descriptor,
): number | undefined {
  const wished = chunkSize ?? (size > maxLength ? maxLength : undefined)
  if (wished === undefined) return undefined
  if (wished < minLength && minLength > MAX_LEAST_CHUNK && size > minLength)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `${location.host} wants chunks of at least ${minLength} bytes, more than ${MAX_LEAST_CHUNK}: leave out "chunkSize"`,
    )
  const chunk = Math.min(Math.max(wished, minLength), maxLength)
  if (chunk < wished || chunkSize === undefined)
    if (size > chunk * MAX_CHUNKS)
      throw new SpindleError(
        'ERR_LIMIT_EXCEEDED',
        `${location.host} takes at most ${maxLength} bytes per chunk, so ${digest} would take more than ${MAX_CHUNKS} requests: push smaller blobs, or ask its operator for larger chunks`,
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
  /** Whole numbers only: a fraction of a byte can't be sent. */
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

/** Frees what a broken upload holds on the registry; it would free it itself in some hours. */
function abandon(context: RepositoryContext, location: URL): void {
  scopeAt(context, location)
    .then((scope) =>
      context.transport.fetch({ method: 'DELETE', url: location, once: true, ...scope }),
    )
    .then(discard)
    .catch(() => {})
}

/**
 * Has the registry take a blob over from another of its repositories.
 *
 * A registry that does not opens a session in its place, which is kept for the push that follows.
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
    // No right there, or no such thing as mounts: a plain push will do, or say why not.
    if (!(error instanceof ResponseError)) throw error
  }
  return false
}
