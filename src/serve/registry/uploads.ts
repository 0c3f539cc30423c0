import { decodeUtf8, encodeUtf8 } from '../../bytes/text.ts'
import { readBounded } from '../../bytes/stream.ts'
import type { Digest } from '../../types.ts'
import { canMove } from '../storage/port.ts'
import { answerEmpty } from '../http/answer.ts'
import { answerPushedBlob, keepBlob, receiveBlob } from './blobs.ts'
import type { Call, RegistryContext } from './context.ts'
import { announcedSize, createIntake, joinStreams, openBody, tooLarge } from '../http/intake.ts'
import { linkKey } from './keys.ts'
import { parseChunkRange } from './range.ts'
import { Refusal } from '../http/refusal.ts'
import { isRepositoryName } from '../../oci/reference.ts'
import { checkDigest } from './route.ts'
import {
  closeSession,
  countPart,
  firstDigestKey,
  listParts,
  MAX_PARTS,
  openSession,
  partKey,
  readSession,
  unknownUpload,
} from './upload-session.ts'
import type { Meter } from './upload-ledger.ts'
import type { UploadSession } from './upload-session.ts'

/**
 * end-4a, 4b, 4c and 11: `POST /v2/<name>/blobs/uploads/`.
 * @param mayRead Whether the client can read a repository, to mount a blob from it.
 */
export async function startUpload(
  context: RegistryContext,
  { request, url }: Call,
  repository: string,
  mayRead: (source: string) => Promise<boolean>,
): Promise<Response> {
  const query = url.searchParams
  const mount = query.get('mount')
  if (
    mount !== null &&
    (await mountBlob(context, repository, checkDigest(mount), query.get('from'), mayRead))
  ) {
    return answerPushedBlob(repository, checkDigest(mount))
  }
  const digest = query.get('digest')
  if (digest !== null && mount === null) {
    const checked = checkDigest(digest)
    refuseTooLarge(context, 0, request)
    const size = announcedSize(request)
    await context.uploads.takeIn({ repository }, size, async (meter) => {
      await receiveBlob(context, repository, checked, openBody(request, meter), size)
      return {}
    })
    return answerPushedBlob(repository, checked)
  }
  const algorithm = query.get('digest-algorithm')
  if (algorithm !== null && algorithm !== 'sha256' && algorithm !== 'sha512') {
    throw new Refusal(400, {
      code: 'DIGEST_INVALID',
      message: 'unsupported digest algorithm: sha256 and sha512 are supported',
      detail: { algorithm: algorithm.slice(0, 100) },
    })
  }
  const session = await context.uploads.open(repository, () => openSession(context, repository))
  return answerSession(202, session)
}

async function mountBlob(
  context: RegistryContext,
  repository: string,
  digest: Digest,
  from: string | null,
  mayRead: (source: string) => Promise<boolean>,
): Promise<boolean> {
  // Without `from`, the client can mount from every repository that it can read: all of them if open.
  if (from !== null && !(isRepositoryName(from) && (await mayRead(from)))) return false
  const { storage } = context
  return keepBlob(context, repository, digest, async (key, generation) => {
    const source = linkKey(from ?? repository, digest, generation)
    return (
      (await storage.head(source)) !== undefined ||
      (from === null && context.open && (await storage.head(key)) !== undefined)
    )
  })
}

/** end-5: `PATCH`, one chunk or the whole blob as a stream. */
export async function appendUpload(
  context: RegistryContext,
  { request }: Call,
  repository: string,
  id: string,
): Promise<Response> {
  const session = await readSession(context, repository, id)
  const range = chunkRange(request, session)
  refuseTooLarge(context, session.offset, request)
  if (session.parts >= MAX_PARTS) {
    throw new Refusal(400, {
      code: 'BLOB_UPLOAD_INVALID',
      message: `the upload has ${MAX_PARTS} chunks, the most that are allowed: send larger chunks`,
    })
  }
  const size = range === undefined ? announcedSize(request) : range.last - range.first + 1
  if (size === 0) return answerSession(202, session)
  const { kept } = await context.uploads.takeIn(session, size, (meter) =>
    keepPart(context, request, session, size, meter),
  )
  return answerSession(202, { ...session, offset: session.offset + kept })
}

/** Stores a chunk and counts it. */
async function keepPart(
  context: RegistryContext,
  request: Request,
  session: UploadSession,
  size: number | undefined,
  meter: Meter,
): Promise<{ readonly kept: number }> {
  const { storage } = context
  // The first chunk is often the whole blob. Hash it if the storage can then move it without reading it again.
  const hashed = session.offset === 0 && canMove(storage)
  const intake = createIntake(openBody(request, meter), {
    ...(hashed && { hash: { algorithm: 'sha256', hasher: context.createHasher('sha256') } }),
    maxBytes: size ?? context.maxBlobBytes - session.offset,
  })
  try {
    const { stored } = await storage.put(partKey(session), intake.stream, {
      ifAbsent: true,
      ...(size !== undefined && { size }),
    })
    const { repository, id } = session
    // Another chunk for the same offset was faster: answer with the current state.
    if (!stored) throw outOfOrder(await readSession(context, repository, id))
    const came = await intake.settle()
    // An empty part would block the offset for the next chunk.
    if (came.size === 0) await storage.delete(partKey(session))
    else {
      if (came.digest !== undefined)
        await storage.put(firstDigestKey(session), encodeUtf8(`${came.size} ${came.digest}`))
      if (!(await countPart(storage, session, came.size))) await assertOpen(context, session)
    }
    return { kept: came.size }
  } catch (error) {
    intake.abandon(error)
    throw wrongLength(error)
  }
}

/** Accepts that another request counted the part; deletes the part if the upload is closed. */
async function assertOpen(context: RegistryContext, session: UploadSession): Promise<void> {
  try {
    await readSession(context, session.repository, session.id)
  } catch (error) {
    await context.storage.delete(partKey(session))
    throw error
  }
}

/** end-6: `PUT ?digest=`, with the whole blob, with the last chunk, or without a body. */
export async function finishUpload(
  context: RegistryContext,
  { request, url }: Call,
  repository: string,
  id: string,
): Promise<Response> {
  const digest = checkDigest(url.searchParams.get('digest') ?? '')
  const session = await readSession(context, repository, id)
  chunkRange(request, session)
  refuseTooLarge(context, session.offset, request)
  const size = announcedSize(request)
  if (size === 0 && (await wasHashed(context, session, digest))) {
    await moveWhole(context, session, digest)
  } else {
    const keys = session.parts === 0 ? [] : await listParts(context.storage, session)
    const parts = keys.map((key) => async () => {
      const part = await context.storage.get(key)
      if (part === undefined) throw unknownUpload()
      return part.body
    })
    try {
      await context.uploads.takeIn(session, size, async (meter) => {
        await receiveBlob(
          context,
          repository,
          digest,
          joinStreams([...parts, async () => openBody(request, meter)]),
          size === undefined ? undefined : session.offset + size,
        )
        return {}
      })
    } catch (error) {
      // The content does not match the digest, so the upload cannot be completed.
      if (error instanceof Refusal && error.entries[0]?.code === 'DIGEST_INVALID')
        await close(context, session)
      throw wrongLength(error)
    }
  }
  await close(context, session)
  return answerPushedBlob(repository, digest)
}

async function close({ storage, uploads }: RegistryContext, session: UploadSession): Promise<void> {
  await closeSession(storage, { prefix: session.prefix, hasParts: session.parts > 0 })
  uploads.closed(session.id)
}

/** Whether the upload has one chunk with that digest, which was hashed when it was received. */
async function wasHashed(
  { storage }: RegistryContext,
  session: UploadSession,
  digest: Digest,
): Promise<boolean> {
  if (session.parts !== 1 || !canMove(storage)) return false
  const known = await storage.get(firstDigestKey(session))
  return (
    known !== undefined &&
    decodeUtf8(await readBounded(known.body, 200, 'a digest')) === `${session.offset} ${digest}`
  )
}

async function moveWhole(
  context: RegistryContext,
  session: UploadSession,
  digest: Digest,
): Promise<void> {
  const { storage } = context
  const part = partKey({ ...session, offset: 0 })
  const kept = await keepBlob(context, session.repository, digest, async (key) => {
    const { stored } = canMove(storage)
      ? await storage.move(part, key, { ifAbsent: true })
      : { stored: false }
    return stored || (await storage.head(key)) !== undefined
  })
  if (kept) return
  await close(context, session)
  throw unknownUpload()
}

/** end-13: `GET` of the upload's location. */
export async function describeUpload(
  context: RegistryContext,
  repository: string,
  id: string,
): Promise<Response> {
  return answerSession(204, await readSession(context, repository, id))
}

/** end-14: `DELETE` of the upload's location. */
export async function cancelUpload(
  context: RegistryContext,
  repository: string,
  id: string,
): Promise<Response> {
  await close(context, await readSession(context, repository, id))
  return answerEmpty(204)
}

type SessionState = Pick<UploadSession, 'id' | 'repository' | 'offset'>

function answerSession(status: number, session: SessionState): Response {
  return answerEmpty(status, sessionHeaders(session))
}

function sessionHeaders({ id, repository, offset }: SessionState): Record<string, string> {
  // `0-0` also before the first byte, as in other registries.
  return {
    Location: `/v2/${repository}/blobs/uploads/${id}`,
    Range: `0-${Math.max(offset - 1, 0)}`,
    'Docker-Upload-UUID': id,
  }
}

/** Checks that a chunk continues where the last one ended. */
function chunkRange(
  request: Request,
  session: UploadSession,
): { first: number; last: number } | undefined {
  const header = request.headers.get('Content-Range')
  if (header === null) return undefined
  const range = parseChunkRange(header)
  if (range === undefined)
    throw new Refusal(400, {
      code: 'BLOB_UPLOAD_INVALID',
      message: 'Content-Range should be <first>-<last>, both inclusive, such as 0-499',
    })
  if (range.first !== session.offset) throw outOfOrder(session)
  const announced = announcedSize(request)
  if (announced !== undefined && announced !== range.last - range.first + 1) {
    throw new Refusal(400, {
      code: 'SIZE_INVALID',
      message: 'Content-Range and Content-Length do not match',
    })
  }
  return range
}

function outOfOrder(session: UploadSession): Refusal {
  return new Refusal(
    416,
    {
      code: 'BLOB_UPLOAD_INVALID',
      message: `chunk out of order: the next chunk begins at ${session.offset}`,
    },
    { headers: sessionHeaders(session) },
  )
}

function refuseTooLarge({ maxBlobBytes }: RegistryContext, offset: number, request: Request): void {
  if (offset + (announcedSize(request) ?? 0) > maxBlobBytes) throw tooLarge()
}

/** Converts the storage's error for a body that does not have the announced size. */
function wrongLength(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_DIGEST_MISMATCH')
    return error
  return new Refusal(
    400,
    {
      code: 'SIZE_INVALID',
      message: 'the body does not have the announced size and was discarded: send it again',
    },
    { cause: error },
  )
}
