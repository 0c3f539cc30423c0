import { SpindleError } from '../errors.ts'
import { whenAborted } from '../bytes/abort.ts'
import { type ChunkReader, concat, readVerified, verifyStream } from '../bytes/stream.ts'
import type { Descriptor, OperationOptions } from '../types.ts'
import type { RepositoryContext } from './context.ts'

/**
 * Cuts in one download that are mended, those without progress between them not counted twice:
 * a source that gives a byte at a time must end.
 */
const MAX_CUTS = 16

export async function hasBlob(
  { transport, base, scope }: RepositoryContext,
  { digest }: Descriptor,
  { signal }: OperationOptions,
): Promise<boolean> {
  const response = await transport.fetch({
    method: 'HEAD',
    url: new URL(`blobs/${digest}`, base),
    scope: scope('pull'),
    expect: [404],
    signal,
  })
  return response.status !== 404
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
  // The first answer is waited for here, so that a missing blob rejects and is no broken stream.
  const first = await openAt(context, target, options, 0, undefined)
  const reader = readerOf(resuming(context, target, options, first), first)
  return verifyStream(reader, target, options.createHasher ?? context.createHasher)
}

/** Reads a download's chunks. One that is left before it is begun still lets its connection go. */
function readerOf(chunks: AsyncGenerator<Uint8Array>, first: Response): ChunkReader {
  let begun = false
  return {
    async read() {
      begun = true
      const { done, value } = await chunks.next()
      return done === true ? { done, value: undefined } : { done: false, value }
    },
    async cancel(reason) {
      if (!begun) await first.body?.cancel(reason)
      await chunks.return(undefined)
    },
  }
}

/** A small blob's bytes, as `fetchBlob` gets them. */
export async function readBlob(
  context: RepositoryContext,
  target: Descriptor,
  options: OperationOptions,
): Promise<Uint8Array> {
  const first = await openAt(context, target, options, 0, undefined)
  const chunks: Uint8Array[] = []
  for await (const chunk of resuming(context, target, options, first)) chunks.push(chunk)
  // Mostly all has come at once.
  const bytes = chunks.length === 1 ? chunks[0]! : concat(chunks)
  return readVerified(bytes, target, options.signal, options.createHasher)
}

async function openAt(
  { transport, base, scope }: RepositoryContext,
  { digest }: Descriptor,
  { signal }: OperationOptions,
  from: number,
  etag: string | undefined,
): Promise<Response> {
  return transport.fetch({
    url: new URL(`blobs/${digest}`, base),
    scope: scope('pull'),
    headers: {
      // A second coding would make sizes and ranges those of other bytes. Browsers see to it themselves.
      'accept-encoding': 'identity',
      ...(from > 0 && { range: `bytes=${from}-` }),
      ...(from > 0 && etag !== undefined && { 'if-range': etag }),
    },
    signal,
  })
}

async function* resuming(
  context: RepositoryContext,
  target: Descriptor,
  options: OperationOptions,
  first: Response,
): AsyncGenerator<Uint8Array> {
  const { signal } = options
  let response = first
  let at = 0
  let attempt = 0
  for (let cuts = 0; ; cuts++) {
    const before = at
    const download = readInTime(response, context, target, signal)
    try {
      let skip = skipOf(response, at, target)
      for (;;) {
        const chunk = await download.next()
        if (chunk === undefined) break
        const rest = skip === 0 ? chunk : chunk.subarray(Math.min(skip, chunk.length))
        skip -= chunk.length - rest.length
        if (rest.length === 0) continue
        at += rest.length
        yield rest
        // Longer than announced is a lie, which the verifying stream around this one calls so.
        if (at > target.size) return
      }
      if (at >= target.size) return
      throw cut(target, at)
    } catch (error) {
      signal?.throwIfAborted()
      const failure = error instanceof SpindleError ? error : cut(target, at, error)
      attempt = at > before ? 1 : attempt + 1
      if (cuts >= MAX_CUTS || !(await context.transport.again(failure, attempt, { signal })))
        throw failure
    } finally {
      download.end()
    }
    // A strong tag only: with a weak one the registry must send all of it again.
    const etag = response.headers.get('etag') ?? undefined
    response = await openAt(context, target, options, at, etag?.startsWith('"') ? etag : undefined)
  }
}

interface Download {
  /** The next chunk, or nothing after the last. */
  readonly next: () => Promise<Uint8Array | undefined>
  readonly end: () => void
}

/** Chunks of a download, as long as they come; the time that the reader takes does not count. */
function readInTime(
  response: Response,
  { idleTimeout }: RepositoryContext,
  { digest }: Descriptor,
  signal: AbortSignal | undefined,
): Download {
  const reader = (response.body ?? new Blob().stream()).getReader()
  let stopped: { readonly reason: unknown } | undefined
  const stop = (reason: unknown): void => {
    stopped ??= { reason }
    void reader.cancel(reason).catch(() => {})
  }
  const stopWaiting = whenAborted(signal, () => stop(signal?.reason))
  const limit = idleTimeout === false ? Infinity : idleTimeout
  // One timer that looks whether anything came, not one for each of thousands of chunks.
  let timer: ReturnType<typeof setTimeout> | undefined
  let waitingSince: number | undefined
  const watch = (milliseconds: number): void => {
    timer = setTimeout(() => {
      timer = undefined
      if (waitingSince === undefined) return
      const left = waitingSince + limit - Date.now()
      if (left > 0) return watch(left)
      stop(
        new SpindleError(
          'ERR_TIMEOUT',
          `the download of ${digest} stood still for ${limit} ms; try again, or raise "idleTimeout"`,
        ),
      )
    }, milliseconds)
  }
  return {
    async next() {
      signal?.throwIfAborted()
      waitingSince = Date.now()
      if (timer === undefined && limit !== Infinity) watch(limit)
      const { done, value } = await reader.read()
      waitingSince = undefined
      if (stopped !== undefined) throw stopped.reason
      return done ? undefined : value
    },
    end() {
      clearTimeout(timer)
      stopWaiting()
      void reader.cancel().catch(() => {})
    },
  }
}

/** How many bytes of an answer are known already: 206 goes on where it was asked to, 200 begins again. */
function skipOf(response: Response, at: number, { digest, size }: Descriptor): number {
  if (response.status !== 206) return at
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
