import { algorithmOf } from '../../bytes/digest.ts'
import type { Digest } from '../../types.ts'
import type { Storage, StoredHead } from '../storage/port.ts'
import { listAll } from '../storage/port.ts'
import { answerBytes, answerEmpty } from '../http/answer.ts'
import type { Call, RegistryContext } from './context.ts'
import { holdGeneration, readGeneration } from '../storage/generation.ts'
import { createIntake, receivePromised, SMALL_BYTES } from '../http/intake.ts'
import { blobGenerationKey, blobKey, linkKey } from './keys.ts'
import { matchesEtag, parseRange } from './range.ts'
import { Refusal } from '../http/refusal.ts'

const NOTHING: Uint8Array = new Uint8Array(0)
/** Content pushed again is rewritten if older than this, in milliseconds, so that its grace period restarts. */
export const RENEWAL: number = 60_000
/** Attempts to store a blob that garbage collections sweep concurrently. */
const MAX_ATTEMPTS = 5

/** Content is immutable under its digest. Shared caches are allowed only if everyone can read. */
export function cachePolicy({ open }: RegistryContext): string {
  return `${open ? 'public' : 'private'}, max-age=31536000, immutable`
}

/** Finds a blob of the repository. Blobs of other repositories are not found. */
async function findBlob(
  storage: Storage,
  repository: string,
  digest: Digest,
): Promise<StoredHead | undefined> {
  // Try generation 0 first: nearly all content has it, and any existing generation has the right bytes.
  for (let generation = 0; ;) {
    if ((await storage.head(linkKey(repository, digest, generation))) !== undefined) {
      const found = await storage.head(blobKey(digest, generation))
      if (found !== undefined) return found
    }
    const { number } = await readGeneration(storage, blobGenerationKey(digest))
    if (number <= generation) return undefined
    generation = number
  }
}

/** end-2: `GET` and `HEAD /v2/<name>/blobs/<digest>`, with range and conditional requests. */
export async function pullBlob(
  context: RegistryContext,
  { request }: Call,
  repository: string,
  digest: Digest,
): Promise<Response> {
  const { storage } = context
  const stored = await findBlob(storage, repository, digest)
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
  // A blob can be an HTML page: these headers make browsers save it instead of showing it.
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
      { code: 'SIZE_INVALID', message: `the range is beyond the end of the blob (${size} bytes)` },
      { headers: { 'Content-Range': `bytes */${size}` } },
    )
  }
  const length = range === undefined ? size : range.last - range.first + 1
  const value = await storage.get(
    stored.key,
    range === undefined ? {} : { range: { offset: range.first, length } },
  )
  if (value === undefined) throw unknownBlob(digest)
  if (range !== undefined)
    headers.set('Content-Range', `bytes ${range.first}-${range.last}/${size}`)
  return answerBytes(value.body, length, { status: range === undefined ? 200 : 206, headers })
}

/** end-10: `DELETE /v2/<name>/blobs/<digest>`. Other repositories keep the blob. */
export async function deleteBlob(
  { storage }: RegistryContext,
  repository: string,
  digest: Digest,
): Promise<Response> {
  if ((await findBlob(storage, repository, digest)) === undefined) throw unknownBlob(digest)
  for await (const { key } of listAll(storage, linkKey(repository, digest)))
    await storage.delete(key)
  return answerEmpty(202)
}

/**
 * Receives a blob and links it to the repository.
 *
 * Reads and hashes the bytes even if the registry already has them: otherwise a client that knows only the
 * digest could get access to the content.
 */
export async function receiveBlob(
  context: RegistryContext,
  repository: string,
  digest: Digest,
  source: ReadableStream<Uint8Array>,
  size?: number,
): Promise<void> {
  const { storage, bodies, maxBlobBytes } = context
  if (size === undefined || size > SMALL_BYTES) {
    const kept = await keepBlob(context, repository, digest, async (key) => {
      await receiveStream(context, key, digest, source, size)
      return true
    })
    if (!kept) throw swept()
    return
  }
  const most = Math.min(SMALL_BYTES, maxBlobBytes)
  const { bytes, release } = await receivePromised(bodies, source, digest, most)
  try {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const kept = await keepBlob(context, repository, digest, async (key) => {
        if ((await storage.head(key)) === undefined)
          await storage.put(key, bytes, { ifAbsent: true })
        return true
      })
      if (kept) return
    }
  } finally {
    release()
  }
  throw swept()
}

async function receiveStream(
  { storage, createHasher, maxBlobBytes }: RegistryContext,
  key: string,
  digest: Digest,
  source: ReadableStream<Uint8Array>,
  size: number | undefined,
): Promise<void> {
  const algorithm = algorithmOf(digest)
  const intake = createIntake(source, {
    hash: { algorithm, hasher: createHasher(algorithm) },
    maxBytes: maxBlobBytes,
    promised: digest,
  })
  try {
    if ((await storage.head(key)) === undefined)
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

/**
 * Links a blob to a repository, after `provide` has stored it under the given key or found it there.
 * @returns false, without a link, if `provide` returned false or a garbage collection swept the blob.
 */
export async function keepBlob(
  { storage }: RegistryContext,
  repository: string,
  digest: Digest,
  provide: (key: string, generation: number) => Promise<boolean>,
): Promise<boolean> {
  const place = blobGenerationKey(digest)
  const { number } = await readGeneration(storage, place)
  if (!(await provide(blobKey(digest, number), number))) return false
  const link = linkKey(repository, digest, number)
  const linked = await storage.head(link)
  if (linked === undefined || Date.now() - linked.modified > RENEWAL)
    await storage.put(link, NOTHING)
  if ((await holdGeneration(storage, place)) === number) return true
  await storage.delete(link)
  return false
}

/** The body has been consumed, so only the client can send it again. */
function swept(): Refusal {
  return new Refusal(
    503,
    {
      code: 'TOOMANYREQUESTS',
      message: 'a garbage collection removed the blob during the upload: push it again',
    },
    { headers: { 'Retry-After': '1' } },
  )
}

/** The response to a completed upload or mount. */
export function answerPushedBlob(repository: string, digest: Digest): Response {
  return answerEmpty(201, {
    Location: `/v2/${repository}/blobs/${digest}`,
    'Docker-Content-Digest': digest,
  })
}

function unknownBlob(digest: Digest): Refusal {
  return new Refusal(404, {
    code: 'BLOB_UNKNOWN',
    message: 'the blob does not exist in this repository',
    detail: { digest },
  })
}
