import { SpindleError } from '../errors.ts'
import { algorithmOf, isDigest } from '../bytes/digest.ts'
import { isStream, sizeOf } from '../bytes/stream.ts'
import { discard } from '../http/response-body.ts'
import type { AuthScope, BodySource, Descriptor, OperationOptions } from '../types.ts'
import type { RepositoryContext } from './context.ts'

/** A location on another host gets no token of the registry's. */
export async function scopeAt(
  { base, scope }: RepositoryContext,
  location: URL,
): Promise<{ scope?: AuthScope }> {
  return location.origin === (await base()).origin ? { scope: scope('pull', 'push') } : {}
}

/** The request that ends a session, with all of a blob or with nothing after its chunks. */
export async function putWhole(
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
        // Complete is what the registry has acknowledged; the last byte's leaving is not that.
        onUpload: (loaded: number) => {
          if (loaded < size)
            onProgress({ type: 'blob', descriptor: expected, status: 'active', loaded })
        },
      }),
  })
  discard(response)
  assertKept(response, expected)
}

/** What the registry says that it has kept, if it says so in the same algorithm. */
export function assertKept(response: Response, { digest }: Descriptor): void {
  const kept = response.headers.get('docker-content-digest')
  if (!isDigest(kept) || algorithmOf(kept) !== algorithmOf(digest) || kept === digest) return
  throw new SpindleError(
    'ERR_DIGEST_MISMATCH',
    `${digest} was sent, but the registry has kept ${kept}; push again, and ask its operator if that comes back`,
  )
}
