import { InvalidResponse, ResponseError } from '../errors.ts'
import { chunksOf, createCollector, openStream, wrongSize } from '../bytes/stream.ts'
import { SOURCE_CHANGED } from '../http/body.ts'
import { redactUrl } from '../http/redact.ts'
import { discard } from '../http/response-body.ts'
import type { BodySource, Descriptor, OperationOptions } from '../types.ts'
import type { RepositoryContext, UploadSession } from './context.ts'
import { completeUpload, scopeAt } from './upload-put.ts'

/** Most resumes of one chunk. The registry keeps what it received, so each can make progress. */
const MAX_RESUMES = 8

/**
 * Uploads a blob in chunks, one after the other.
 *
 * Only the `Range` of a response is trusted: docker-registry 2.8 answers 202 to chunks out of order
 * and appends them (measured), ECR answers 201 and drops all but the first.
 * @returns `false` if the registry does not support chunks; nothing is stored then.
 * @see Distribution Spec 1.1, Pushing a blob in chunks
 */
export async function pushChunks(
  context: RepositoryContext,
  session: UploadSession,
  expected: Descriptor,
  body: BodySource,
  options: OperationOptions & { chunk: number },
): Promise<boolean> {
  const { signal, onProgress, chunk: chunkSize } = options
  const { digest, size } = expected
  let { location } = session
  let start = 0
  for await (const chunk of regroup(body, chunkSize, signal)) {
    const end = start + chunk.length
    if (end > size) break
    let at = start
    for (let resumes = 0; at < end; resumes++) {
      try {
        const sent = await patch(context, location, chunk.subarray(at - start), at, options)
        if (sent === undefined || sent.next !== end)
          return start === 0 ? false : refuse(expected, location)
        ;({ location } = sent)
        at = end
      } catch (error) {
        signal?.throwIfAborted()
        if (start === 0 && takesNoChunks(error)) return false
        if (
          resumes >= MAX_RESUMES ||
          !(await context.transport.again(error, resumes + 1, { signal }))
        )
          throw error
        const kept = await requestStatus(context, location, options)
        // Less than was acknowledged before: this session is lost, and the caller starts another.
        if (kept === undefined || kept.next < start || kept.next > end) throw error
        ;({ next: at, location } = kept)
      }
    }
    start = end
    if (start < size)
      onProgress?.({ type: 'blob', descriptor: expected, status: 'active', loaded: start })
  }
  if (start !== size) throw wrongSize(`the source of ${digest}`, size, start, SOURCE_CHANGED)
  await completeUpload(context, location, expected, new Uint8Array(), {
    signal,
  })
  return true
}

/** Whether a refusal of the first chunk means that the registry does not support chunks. */
function takesNoChunks(error: unknown): boolean {
  if (!(error instanceof ResponseError) || error.code === 'ERR_UNAUTHORIZED') return false
  return error.status >= 400 && error.status < 500 && error.status !== 429
}

function refuse({ digest }: Descriptor, location: URL): never {
  throw new InvalidResponse(
    `the registry lost a part of ${digest} between chunks; leave out "chunkSize"`,
    { status: 202, method: 'PATCH', url: redactUrl(location) },
  )
}

/** Pieces of exactly `size` bytes, the last one shorter. */
async function* regroup(
  body: BodySource,
  size: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const buffer = createCollector()
  for await (const chunk of chunksOf(openStream(body), signal)) {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + size - buffer.size)
      buffer.add(part)
      at += part.length
      if (buffer.size === size) yield buffer.take()
    }
  }
  if (buffer.size > 0) yield buffer.take()
}

/** State of an upload session. */
interface UploadStatus {
  /** Offset of the first byte that the registry does not have. */
  readonly next: number
  readonly location: URL
}

async function patch(
  context: RepositoryContext,
  location: URL,
  chunk: Uint8Array,
  at: number,
  { signal }: OperationOptions,
): Promise<UploadStatus | undefined> {
  const response = await context.transport.fetch({
    method: 'PATCH',
    url: location,
    once: true,
    headers: {
      'content-type': 'application/octet-stream',
      'content-range': `${at}-${at + chunk.length - 1}`,
    },
    body: chunk,
    ...(await scopeAt(context, location)),
    signal,
  })
  return readStatus(response, location)
}

async function requestStatus(
  context: RepositoryContext,
  location: URL,
  { signal }: OperationOptions,
): Promise<UploadStatus | undefined> {
  let response: Response
  try {
    response = await context.transport.fetch({
      url: location,
      ...(await scopeAt(context, location)),
      signal,
    })
  } catch (error) {
    // Without the status of the session, the caller starts another.
    if (error instanceof ResponseError) return undefined
    throw error
  }
  const kept = readStatus(response, location)
  // `0-0` means one byte, but registries also send it for an empty session.
  return kept?.next === 1 ? { ...kept, next: 0 } : kept
}

function readStatus(response: Response, from: URL): UploadStatus | undefined {
  discard(response)
  const last = /^(?:bytes=)?0-(\d+)$/.exec(response.headers.get('range') ?? '')?.[1]
  if (last === undefined || (response.status !== 202 && response.status !== 204)) return undefined
  const location = response.headers.get('location')
  return {
    next: Number(last) + 1,
    location: location === null ? from : resolveLocation(location, from, response.status),
  }
}

/**
 * URL of the next request of an upload. Another host is accepted over https only, and does not get
 * the registry's token. An http: URL of the same host becomes https: proxies that terminate TLS
 * cause those.
 * @throws `ERR_RESPONSE`
 */
export function resolveLocation(location: string | null, from: URL, status: number): URL {
  const answer = { status, method: 'POST', url: redactUrl(from) }
  let to: URL
  try {
    to = new URL(location ?? '', location === null ? undefined : from)
  } catch (cause) {
    throw new InvalidResponse(
      `${from.host} started an upload without a valid Location header; for pages, it must expose that header (CORS)`,
      answer,
      { cause },
    )
  }
  to.username = ''
  to.password = ''
  to.hash = ''
  if (from.protocol === 'https:' && to.protocol === 'http:' && to.hostname === from.hostname) {
    to.protocol = 'https:'
    to.port = from.port
  }
  const isDowngrade =
    to.protocol !== 'https:' && (from.protocol === 'https:' || to.host !== from.host)
  if (isDowngrade || !/^https?:$/.test(to.protocol))
    throw new InvalidResponse(
      `${from.host} directs the upload to ${to.protocol}//${to.host}, which is not https: nothing was sent`,
      answer,
    )
  return to
}
