import { InvalidResponse, ResponseError } from '../errors.ts'
import { chunksOf, createCollector, openStream, wrongSize } from '../bytes/stream.ts'
import { SOURCE_CHANGED } from '../http/body.ts'
import { redactUrl } from '../http/redact.ts'
import { discard } from '../http/response-body.ts'
import type { BodySource, Descriptor, OperationOptions } from '../types.ts'
import type { RepositoryContext, UploadSession } from './context.ts'
import { putWhole, scopeAt } from './upload-put.ts'

/** Times one chunk is taken up again; the registry keeps what it has got, so each can bring more. */
const MAX_RESUMES = 8

/**
 * Uploads a blob in chunks, one after the other.
 *
 * Only the `Range` of an answer counts: docker-registry 2.8 answers 202 to chunks out of order and
 * appends them (measured), ECR answers 201 and drops all but the first.
 * @returns `false` when the registry does not take chunks; nothing is kept then.
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
        const kept = await askKept(context, location, options)
        // Less than was acknowledged before: this session is lost, the next one begins anew.
        if (kept === undefined || kept.next < start || kept.next > end) throw error
        ;({ next: at, location } = kept)
      }
    }
    start = end
    if (start < size)
      onProgress?.({ type: 'blob', descriptor: expected, status: 'active', loaded: start })
  }
  if (start !== size) throw wrongSize(`the source of ${digest}`, size, start, SOURCE_CHANGED)
  await putWhole(context, location, expected, new Uint8Array(), {
    signal,
  })
  return true
}

/** Whether the registry does not take chunks, as far as its answer tells. */
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
  const held = createCollector()
  for await (const chunk of chunksOf(openStream(body), signal)) {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + size - held.size)
      held.add(part)
      at += part.length
      if (held.size === size) yield held.take()
    }
  }
  if (held.size > 0) yield held.take()
}

interface Kept {
  /** The first byte that the registry hasn't got. */
  readonly next: number
  readonly location: URL
}

async function patch(
  context: RepositoryContext,
  location: URL,
  chunk: Uint8Array,
  at: number,
  { signal }: OperationOptions,
): Promise<Kept | undefined> {
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
  return readKept(response, location)
}

async function askKept(
  context: RepositoryContext,
  location: URL,
  { signal }: OperationOptions,
): Promise<Kept | undefined> {
  let response: Response
  try {
    response = await context.transport.fetch({
      url: location,
      ...(await scopeAt(context, location)),
      signal,
    })
  } catch (error) {
    // Whoever may not ask begins anew.
    if (error instanceof ResponseError) return undefined
    throw error
  }
  const kept = readKept(response, location)
  // `0-0` is one byte, but also how an empty session is described.
  return kept?.next === 1 ? { ...kept, next: 0 } : kept
}

function readKept(response: Response, from: URL): Kept | undefined {
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
 * Where the next request of an upload goes. It may be another host, over https and without the
 * registry's token; a registry behind a proxy that forgets https is taken at its host's word.
 * @throws `ERR_RESPONSE`
 */
export function resolveLocation(location: string | null, from: URL, status: number): URL {
  const answer = { status, method: 'POST', url: redactUrl(from) }
  let to: URL
  try {
    to = new URL(location ?? '', location === null ? undefined : from)
  } catch (cause) {
    throw new InvalidResponse(
      `${from.host} began an upload, but said not where it goes on (Location); in a page, it must expose that header`,
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
      `${from.host} wants an upload to go to ${to.protocol}//${to.host}, which is not https: nothing was sent`,
      answer,
    )
  return to
}
