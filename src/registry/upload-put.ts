import { SpindleError } from '../errors.ts'
import { algorithmOf, isDigest } from '../bytes/digest.ts'
import { isStream, sizeOf } from '../bytes/stream.ts'
import { discard } from '../http/response-body.ts'
import type { AuthScope, BodySource, Descriptor, OperationOptions } from '../types.ts'
import type { RepositoryContext } from './context.ts'

/**
 * Scope of a request to an upload location. A location on another host does not get the registry's
 * token.
 */
export async function scopeAt(
  { base, scope }: RepositoryContext,
  location: URL,
): Promise<{ scope?: AuthScope }> {
  return location.origin === (await base()).origin ? { scope: scope('pull', 'push') } : {}
}

/** Completes a session: with the whole blob, or with an empty body after its chunks. */
export async function completeUpload(
  context: RepositoryContext,
  location: URL,
  expected: Descriptor,
  body: BodySource,
  { signal, onProgress }: OperationOptions,
): Promise<void> {
  const url = new URL(location)
  url.searchParams.set('digest', expected.digest)
  const size = sizeOf(body) ?? expected.size
  const response = await context.transport.fetch({
    method: 'PUT',
    url,
    once: true,
    headers: {
      'content-type': 'application/octet-stream',
      ...(isStream(body) && { 'content-length': String(size) }),
    },
    body,
    ...(await scopeAt(context, url)),
    signal,
    ...(onProgress !== undefined &&
      size === expected.size && {
        // The full size is reported only after the registry has acknowledged the blob.
        onUpload: (loaded: number) => {
          if (loaded < size)
            onProgress({ type: 'blob', descriptor: expected, status: 'active', loaded })
        },
      }),
  })
  discard(response)
  assertStored(response, expected)
}

/**
 * Compares `Docker-Content-Digest`, if it is of the same algorithm, with the digest that was sent.
 */
export function assertStored(response: Response, { digest }: Descriptor): void {
  const stored = response.headers.get('docker-content-digest')
  if (!isDigest(stored) || algorithmOf(stored) !== algorithmOf(digest) || stored === digest) return
  throw new SpindleError(
    'ERR_DIGEST_MISMATCH',
    `${digest} was sent, but the registry stored ${stored}; push again, and ask its operator if this repeats`,
  )
}
