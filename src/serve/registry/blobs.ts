import { algorithmOf } from '../../bytes/digest.ts'
import type { Digest } from '../../types.ts'
import { answerBytes, answerEmpty } from './answer.ts'
import type { Call, RegistryContext } from './context.ts'
import { createIntake, readPromised, SMALL_BYTES } from './intake.ts'
import { blobKey, linkKey } from './keys.ts'
import { matchesEtag, parseRange } from './range.ts'
import { Refusal } from './refusal.ts'

const NOTHING: Uint8Array = new Uint8Array(0)

/** Content never changes under its digest. Shared caches only where everybody may read. */
export function cachePolicy({ open }: RegistryContext): string {
  return `${open ? 'public' : 'private'}, max-age=31536000, immutable`
}

/** Whether the repository has the blob. That another one has it is nobody's business here. */
export async function hasBlob(
  { storage }: RegistryContext,
  repository: string,
  digest: Digest,
): Promise<boolean> {
  return (await storage.head(linkKey(repository, digest))) !== undefined
}

/** end-2: `GET` and `HEAD /v2/<name>/blobs/<digest>`, with ranges and conditions. */
export async function pullBlob(
  context: RegistryContext,
  { request }: Call,
  repository: string,
  digest: Digest,
): Promise<Response> {
  const { storage } = context
  const stored = (await hasBlob(context, repository, digest))
    ? await storage.head(blobKey(digest))
    : undefined
  if (stored === undefined) throw unknownBlob(digest)
  const etag = `"${digest}"`
  const headers = new Headers({
    'Docker-Content-Digest': digest,
    ETag: etag,
    'Cache-Control': cachePolicy(context),
    'Accept-Ranges': 'bytes',
  })
  if (matchesEtag(request.headers.get('If-None-Match'), etag))
    return new Response(null, { status: 304, headers })
  // Anybody may push a page as a blob: with these a browser saves it and never shows it.
  headers.set('Content-Type', 'application/octet-stream')
  headers.set('Content-Disposition', 'attachment')
  const { size } = stored
  if (request.method === 'HEAD') {
    headers.set('Content-Length', String(size))
    return new Response(null, { status: 200, headers })
  }
  const condition = request.headers.get('If-Range')
  const range =
    condition === null || condition === etag
      ? parseRange(request.headers.get('Range'), size)
      : undefined
  if (range === 'unsatisfiable') {
    throw new Refusal(
      416,
      { code: 'SIZE_INVALID', message: `the blob has ${size} bytes, none of them in that range` },
      { headers: { 'Content-Range': `bytes */${size}` } },
    )
  }
  const length = range === undefined ? size : range.last - range.first + 1
  const value = await storage.get(
    blobKey(digest),
    range === undefined ? {} : { range: { offset: range.first, length } },
  )
  if (value === undefined) throw unknownBlob(digest)
  if (range !== undefined)
    headers.set('Content-Range', `bytes ${range.first}-${range.last}/${size}`)
  return answerBytes(value.body, length, { status: range === undefined ? 200 : 206, headers })
}

/** end-10: `DELETE /v2/<name>/blobs/<digest>`. Other repositories that have it keep it. */
export async function deleteBlob(
  context: RegistryContext,
  repository: string,
  digest: Digest,
): Promise<Response> {
  if (!(await hasBlob(context, repository, digest))) throw unknownBlob(digest)
  await context.storage.delete(linkKey(repository, digest))
  return answerEmpty(202)
}

/**
 * Takes a blob in and links it to the repository.
 *
 * The bytes are read and hashed even if the registry has them already: who names a digest without
 * having the content must not get it from here.
 */
export async function receiveBlob(
  context: RegistryContext,
  repository: string,
  digest: Digest,
  source: ReadableStream<Uint8Array>,
  size?: number,
): Promise<void> {
  const { storage, createHasher, maxBlobBytes } = context
  const key = blobKey(digest)
  const present = (await storage.head(key)) !== undefined
  if (size !== undefined && size <= SMALL_BYTES) {
    const bytes = await readPromised(source, digest, Math.min(SMALL_BYTES, maxBlobBytes))
    if (!present) await storage.put(key, bytes, { ifAbsent: true })
  } else {
    const algorithm = algorithmOf(digest)
    const intake = createIntake(source, {
      hash: { algorithm, hasher: createHasher(algorithm) },
      maxBytes: maxBlobBytes,
      promised: digest,
    })
    try {
      if (!present)
        await storage.put(key, intake.stream, {
          ifAbsent: true,
          ...(size !== undefined && { size }),
        })
      await intake.settle()
    } catch (error) {
      intake.abandon(error)
      throw error
    }
  }
  await linkBlob(context, repository, digest)
}

export async function linkBlob(
  { storage }: RegistryContext,
  repository: string,
  digest: Digest,
): Promise<void> {
  await storage.put(linkKey(repository, digest), NOTHING, { ifAbsent: true })
}

/** The answer to every way of bringing a blob in. */
export function answerPushedBlob(repository: string, digest: Digest): Response {
  return answerEmpty(201, {
    Location: `/v2/${repository}/blobs/${digest}`,
    'Docker-Content-Digest': digest,
  })
}

function unknownBlob(digest: Digest): Refusal {
  return new Refusal(404, {
    code: 'BLOB_UNKNOWN',
    message: 'no such blob in this repository',
    detail: { digest },
  })
}
