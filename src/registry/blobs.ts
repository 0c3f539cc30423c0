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
 * Cuts in one download that are mended, those without progress between them not counted twice:
 * a source that gives a byte at a time must end.
 */
const MAX_CUTS = 16

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
    // One byte tells as much.
    discard(await openAt(context, target, options, target.size > 0 ? { range: 'bytes=0-0' } : {}))
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}

/** Whether an answer to HEAD can be about a blob: a proxy's page or an empty answer is not. */
function describes(response: Response, { digest, size }: Descriptor): boolean {
  const named = response.headers.get('docker-content-digest')
  const isOther = isDigest(named) && algorithmOf(named) === algorithmOf(digest) && named !== digest
  return response.status === 200 && !isOther && (bodyLength(response) ?? size) === size
}

/**
 * A blob's bytes, verified at their end. A connection that is cut is taken up where it broke.
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

/** A small blob's bytes, as `fetchBlob` gets them. */
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
      // A second coding would make sizes and ranges those of other bytes. Browsers see to it themselves.
      'accept-encoding': 'identity',
      ...range,
    },
    signal,
  })
}

/**
 * A download's chunks. One that breaks is taken up where it broke; one that is left lets its
 * connection go. The first answer is waited for, so that a missing blob rejects here.
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
  let isLeft = false
  let leave = (): void => {}
  const left = new Promise<void>((resolve) => (leave = resolve))
  /** Opens the rest of what broke, or throws what can't be mended. */
  const resume = async (error: unknown): Promise<void> => {
    signal?.throwIfAborted()
    const failure = error instanceof SpindleError ? error : cut(target, at, error)
    attempt = at > before ? 1 : attempt + 1
    if (cuts++ >= MAX_CUTS || !(await context.transport.again(failure, attempt, { signal })))
      throw failure
    const etag = response.headers.get('etag')
    // Parts of a coded body are not parts of the blob.
    isCoded ||= contentCodings(response).length > 0
    const isRest = at > 0 && !isCoded
    response = await openAt(context, target, options, {
      ...(isRest && { range: `bytes=${at}-` }),
      // A strong tag only: with a weak one the registry must send all of it again.
      ...(isRest && etag?.startsWith('"') && { 'if-range': etag }),
    })
    part = readFrom(response, context, target, at, signal)
    before = at
    if (isLeft) part.end()
  }
  return {
    async read() {
      // Longer than announced is a lie, which whoever checks it calls so.
      while (!isLeft && at <= target.size) {
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
          if (!isLeft) await Promise.race([resume(error), left])
        }
      }
      part.end()
      return { done: true, value: undefined }
    },
    async cancel() {
      isLeft = true
      leave()
      part.end()
    },
  }
}

/** What an answer has from a place on. */
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

/** How many bytes of an answer are known already: 206 goes on where it was asked to, 200 begins again. */
function skipOf(response: Response, at: number, { digest, size }: Descriptor): number {
  if (response.status !== 206) return at
  if (contentCodings(response).length > 0)
    throw new Error('the registry sent a part in a content coding')
  const [, first, total] =
    /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '') ?? []
  // Pages can't read the header unless it is exposed; the digest has the last word then.
  if (first === undefined) return 0
  if (Number(first) <= at && (total === '*' || Number(total) === size)) return at - Number(first)
  throw new SpindleError(
    'ERR_CONTENT_INVALID',
    `the registry sent another part of ${digest} than was asked for; try again`,
  )
}

function cut({ digest, size }: Descriptor, at: number, cause?: unknown): SpindleError {
  return new SpindleError(
    'ERR_NETWORK',
    `the download of ${digest} broke off after ${at} of ${size} bytes; try again`,
    { cause },
  )
}
