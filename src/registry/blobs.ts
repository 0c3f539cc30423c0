import { SpindleError } from '../errors.ts'
import { bodyLength, contentCodings } from '../http/content-coding.ts'
import { algorithmOf, isDigest } from '../bytes/digest.ts'
import { type ChunkReader, chunksOf, createCollector } from '../bytes/stream.ts'
import { readVerified, verifyStream } from '../bytes/verified.ts'
import { discard } from '../http/response-body.ts'
import { createTimedReader, type TimedReader } from '../http/timed-reader.ts'
import type { Descriptor, OperationOptions } from '../types.ts'
import type { RepositoryContext } from './context.ts'
import { sendHead } from './head.ts'
import { isNotFound } from './manifests.ts'

/**
 * Most resumes of one download: a server that sends a byte per connection must not go on for ever.
 */
const MAX_CUTS = 16

/** Whether the registry has a blob. HEAD first; GET decides if that is inconclusive. */
export async function hasBlob(
  context: RepositoryContext,
  target: Descriptor,
  options: OperationOptions,
): Promise<boolean> {
  const { transport, base, scope } = context
  const { signal } = options
  const { response, status } = await sendHead(transport, {
    url: `${await base(signal)}blobs/${target.digest}`,
    scope: scope('pull'),
    signal,
  })
  if (status === 404) return false
  if (response !== undefined && describes(response, target)) return true
  try {
    // One byte is enough to prove it.
    discard(await openAt(context, target, options, target.size > 0 ? { range: 'bytes=0-0' } : {}))
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}

/**
 * Whether a response to HEAD describes the blob. A proxy's error page or an empty response does
 * not.
 */
function describes(response: Response, { digest, size }: Descriptor): boolean {
  const named = response.headers.get('docker-content-digest')
  const isOther = isDigest(named) && algorithmOf(named) === algorithmOf(digest) && named !== digest
  return response.status === 200 && !isOther && (bodyLength(response) ?? size) === size
}

/**
 * A blob as a stream, verified at its end. An interrupted download is resumed.
 * @see Distribution Spec 1.1, Pulling Blobs
 */
export async function fetchBlob(
  context: RepositoryContext,
  target: Descriptor,
  options: OperationOptions,
): Promise<ReadableStream<Uint8Array>> {
  const reader = await download(context, target, options)
  return verifyStream(reader, target, options.createHasher ?? context.createHasher)
}

/** Like `fetchBlob`, but buffered: for small blobs. */
export async function readBlob(
  context: RepositoryContext,
  target: Descriptor,
  options: OperationOptions,
): Promise<Uint8Array> {
  const collector = createCollector()
  for await (const chunk of chunksOf(await download(context, target, options))) collector.add(chunk)
  return readVerified(collector.take(), target, options.signal, options.createHasher)
}

async function openAt(
  { transport, base, scope }: RepositoryContext,
  { digest }: Descriptor,
  { signal }: OperationOptions,
  range?: Readonly<Record<string, string>>,
): Promise<Response> {
  return transport.fetch({
    url: `${await base(signal)}blobs/${digest}`,
    scope: scope('pull'),
    headers: {
      // With a content coding, sizes and ranges would be those of the coded bytes. Browsers set
      // this themselves.
      'accept-encoding': 'identity',
      ...range,
    },
    signal,
  })
}

/**
 * Chunks of a download. An interrupted download is resumed; cancelling closes the connection.
 * Resolves after the first response, so that a missing blob rejects here.
 */
async function download(
  context: RepositoryContext,
  target: Descriptor,
  options: OperationOptions,
): Promise<ChunkReader> {
  const { signal } = options
  let response = await openAt(context, target, options)
  let part = readFrom(response, context, target, 0, signal)
  let at = 0
  let before = 0
  let attempt = 0
  let cuts = 0
  let isCoded = false
  let isCancelled = false
  let reportCancel = (): void => {}
  const cancelled = new Promise<void>((resolve) => (reportCancel = resolve))
  /** Requests the remaining bytes, or throws if the failure is final. */
  const resume = async (error: unknown): Promise<void> => {
    signal?.throwIfAborted()
    const failure = error instanceof SpindleError ? error : cut(target, at, error)
    attempt = at > before ? 1 : attempt + 1
    if (cuts++ >= MAX_CUTS || !(await context.transport.again(failure, attempt, { signal })))
      throw failure
    const etag = response.headers.get('etag')
    // Ranges of a coded body are not ranges of the blob.
    isCoded ||= contentCodings(response).length > 0
    const isRest = at > 0 && !isCoded
    response = await openAt(context, target, options, {
      ...(isRest && { range: `bytes=${at}-` }),
      // A strong ETag only: with a weak one the registry must send the whole blob again.
      ...(isRest && etag?.startsWith('"') && { 'if-range': etag }),
    })
    part = readFrom(response, context, target, at, signal)
    before = at
    if (isCancelled) part.end()
  }
  return {
    async read() {
      // One byte more than announced is passed on, for the check of the size to fail.
      while (!isCancelled && at <= target.size) {
        try {
          const value = await part.next()
          if (value === undefined) {
            if (at < target.size) throw cut(target, at)
            break
          }
          at += value.length
          if (value.length > 0) return { done: false, value }
        } catch (error) {
          part.end()
          if (!isCancelled) await Promise.race([resume(error), cancelled])
        }
      }
      part.end()
      return { done: true, value: undefined }
    },
    async cancel() {
      isCancelled = true
      reportCancel()
      part.end()
    },
  }
}

/** Reads a response from offset `from` of the blob on. */
function readFrom(
  response: Response,
  { pace }: RepositoryContext,
  target: Descriptor,
  from: number,
  signal: AbortSignal | undefined,
): TimedReader {
  const what = `the download of ${target.digest}`
  const { next, end } = createTimedReader(response, pace, what, signal)
  let skip: number | undefined
  return {
    async next() {
      skip ??= skipOf(response, from, target)
      const value = await next()
      if (value === undefined) return undefined
      const rest = value.subarray(Math.min(skip, value.length))
      skip -= value.length - rest.length
      return rest
    },
    end,
  }
}

/**
 * Number of leading bytes of a response to skip: 206 continues at the requested offset, 200 starts
 * over.
 */
function skipOf(response: Response, at: number, { digest, size }: Descriptor): number {
  if (response.status !== 206) return at
  if (contentCodings(response).length > 0)
    throw new Error('the registry sent a byte range in a content coding')
  const [, first, total] =
    /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '') ?? []
  // Pages can read the header only if it is exposed. Without it the digest check decides.
  if (first === undefined) return 0
  if (Number(first) <= at && (total === '*' || Number(total) === size)) return at - Number(first)
  throw new SpindleError(
    'ERR_CONTENT_INVALID',
    `the registry sent another byte range of ${digest} than requested; try again`,
  )
}

function cut({ digest, size }: Descriptor, at: number, cause?: unknown): SpindleError {
  return new SpindleError(
    'ERR_NETWORK',
    `the download of ${digest} was interrupted after ${at} of ${size} bytes; try again`,
    { cause },
  )
}
