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
/** Milliseconds after which something that is pushed again is written again, so that it counts as young. */
export const RENEWAL: number = 60_000
/** Times that a blob is kept anew because a collection has buried it meanwhile. */
const MAX_ATTEMPTS = 5

/** Content never changes under its digest. Shared caches only where everybody may read. */
export function cachePolicy({ open }: RegistryContext): string {
  return `${open ? 'public' : 'private'}, max-age=31536000, immutable`
}

/** Where a blob of the repository is. That another one has it is nobody's business here. */
async function findBlob(
  storage: Storage,
  repository: string,
  digest: Digest,
): Promise<StoredHead | undefined> {
  // Nearly all content is of its first generation, and what is there is right whichever counts.
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

/** end-2: `GET` and `HEAD /v2/<name>/blobs/<digest>`, with ranges and conditions. */
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
    stored.key,
    range === undefined ? {} : { range: { offset: range.first, length } },
  )
  if (value === undefined) throw unknownBlob(digest)
  if (range !== undefined)
    headers.set('Content-Range', `bytes ${range.first}-${range.last}/${size}`)
  return answerBytes(value.body, length, { status: range === undefined ? 200 : 206, headers })
}

/** end-10: `DELETE /v2/<name>/blobs/<digest>`. Other repositories that have it keep it. */
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
  const { storage, bodies, maxBlobBytes } = context
  if (size === undefined || size > SMALL_BYTES) {
    const kept = await keepBlob(context, repository, digest, async (key) => {
      await receiveStream(context, key, digest, source, size)
      return true
    })
    if (!kept) throw collected()
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
  throw collected()
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
 * Links what `bring` puts at the key it is given, or finds there, to a repository.
 * @returns false when it brought nothing, or a collection of garbage has buried it meanwhile:
 * nothing is linked then.
 */
export async function keepBlob(
  { storage }: RegistryContext,
  repository: string,
  digest: Digest,
  bring: (key: string, generation: number) => Promise<boolean>,
): Promise<boolean> {
  const place = blobGenerationKey(digest)
  const { number } = await readGeneration(storage, place)
  if (!(await bring(blobKey(digest, number), number))) return false
  const link = linkKey(repository, digest, number)
  const linked = await storage.head(link)
  if (linked === undefined || Date.now() - linked.modified > RENEWAL)
    await storage.put(link, NOTHING)
  if ((await holdGeneration(storage, place)) === number) return true
  await storage.delete(link)
  return false
}

/** What was read from the client is gone, so only the client can send it again. */
function collected(): Refusal {
  return new Refusal(
    503,
    {
      code: 'TOOMANYREQUESTS',
      message: 'the blob was removed as garbage meanwhile: push it again',
    },
    { headers: { 'Retry-After': '1' } },
  )
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
