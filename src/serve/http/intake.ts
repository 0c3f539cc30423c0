import { bodyOf } from '../../bytes/request-body.ts'
import { algorithmOf, digestOf, formatDigest } from '../../bytes/digest.ts'
import { streamOf } from '../../bytes/stream.ts'
import type { BodyRoom, ReceivedBody } from '../../http/body-room.ts'
import type { Digest, DigestAlgorithm, Hasher } from '../../types.ts'
import { Refusal } from './refusal.ts'

/** Up to this size a body of known length is buffered and hashed natively; above it, streamed. */
export const SMALL_BYTES: number = 1024 * 1024

/** An incoming body that is counted, bounded and hashed. */
interface Intake {
  /** For the storage. Errors at its end when the bytes do not match the expected digest. */
  readonly stream: ReadableStream<Uint8Array>
  /** Reads what the storage left unread, then returns digest and size. */
  settle(): Promise<{ readonly digest?: Digest; readonly size: number }>
  /** Stops reading. */
  abandon(reason: unknown): void
}

interface IntakeOptions {
  /** Hasher for the body. Absent: the body is only counted. */
  readonly hash?: { readonly algorithm: DigestAlgorithm; readonly hasher: Hasher }
  /** Largest size; the first byte beyond it is an error. */
  readonly maxBytes: number
  /** Digest that the client announced. */
  readonly promised?: Digest
}

/** Starts reading a body. */
export function createIntake(source: ReadableStream<Uint8Array>, options: IntakeOptions): Intake {
  const reader = source.getReader()
  const { hash } = options
  let size = 0
  let settled: { digest?: Digest; size: number } | undefined

  const read = async (): Promise<Uint8Array | undefined> => {
    if (settled !== undefined) return undefined
    const { done, value } = await reader.read()
    if (!done) {
      size += value.length
      if (size > options.maxBytes) throw tooLarge()
      await hash?.hasher.update(value)
      return value
    }
    if (hash === undefined) settled = { size }
    else {
      const digest = formatDigest(hash.algorithm, await hash.hasher.digest())
      checkPromise(digest, options.promised)
      settled = { digest, size }
    }
    return undefined
  }
  // The storage can cancel while a read is pending; queue reads, so that `settle` hashes chunks in order.
  let turn: Promise<unknown> = Promise.resolve()
  const next = (): Promise<Uint8Array | undefined> => {
    const result = turn.then(read)
    turn = result
    result.catch(() => {})
    return result
  }

  return {
    stream: new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          try {
            const chunk = await next()
            if (chunk === undefined) controller.close()
            else controller.enqueue(chunk)
          } catch (error) {
            controller.error(error)
          }
        },
        // No `cancel`: a storage that already has the content cancels, but `settle` still checks the rest.
      },
      { highWaterMark: 0 },
    ),
    async settle() {
      while (settled === undefined) await next()
      return settled
    },
    abandon: (reason) => void reader.cancel(reason).catch(() => {}),
  }
}

/** Buffers a small body and checks its digest. */
export async function receivePromised(
  bodies: BodyRoom,
  source: ReadableStream<Uint8Array>,
  promised: Digest,
  maxBytes: number,
): Promise<ReceivedBody> {
  const received = await bodies.receive(source, maxBytes)
  try {
    checkPromise(await digestOf(received.bytes, algorithmOf(promised)), promised)
    return received
  } catch (error) {
    received.release()
    throw error
  }
}

/**
 * The body of a request. An aborted body is reported as a 400 error of the client.
 * @param meter Called with the size of each chunk; an error that it throws ends the body.
 */
export function openBody(
  request: Request,
  meter?: (bytes: number) => void,
): ReadableStream<Uint8Array> {
  const body = bodyOf(request)
  if (body === null) return streamOf(new Uint8Array(0))
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (done) return controller.close()
          meter?.(value.length)
          controller.enqueue(value)
        } catch (cause) {
          if (cause instanceof Refusal) {
            void reader.cancel(cause).catch(() => {})
            return controller.error(cause)
          }
          controller.error(
            new Refusal(
              400,
              {
                code: 'BLOB_UPLOAD_INVALID',
                message: 'the body ended early and was discarded: send it again',
              },
              { cause },
            ),
          )
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

/** The size in `Content-Length`; `undefined` for a body of unknown length. */
export function announcedSize(request: Request): number | undefined {
  const header = request.headers.get('Content-Length')
  if (header === null) return request.body === null ? 0 : undefined
  return /^\d{1,15}$/.test(header) ? Number(header) : undefined
}

/** Concatenates streams; opens each when the previous one has ended. */
export function joinStreams(
  parts: ReadonlyArray<() => Promise<ReadableStream<Uint8Array>>>,
): ReadableStream<Uint8Array> {
  let index = 0
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          if (reader === undefined) {
            const open = parts[index++]
            if (open === undefined) return controller.close()
            reader = (await open()).getReader()
          }
          const { done, value } = await reader.read()
          if (!done) return controller.enqueue(value)
          reader = undefined
        }
      },
      cancel: (reason) => reader?.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

function checkPromise(actual: Digest, promised: Digest | undefined): void {
  if (promised === undefined || actual === promised) return
  throw new Refusal(400, {
    code: 'DIGEST_INVALID',
    message: 'the content does not match the digest and was discarded',
    detail: { promised, actual },
  })
}

/** 413 for a body above the limit. */
export function tooLarge(cause?: unknown): Refusal {
  return new Refusal(
    413,
    { code: 'SIZE_INVALID', message: 'the body is larger than this server accepts' },
    { cause },
  )
}

function overloaded(message: string): Refusal {
  return new Refusal(429, { code: 'TOOMANYREQUESTS', message }, { headers: { 'Retry-After': '1' } })
}

/** Errors for bodies that cannot be buffered. */
export const BODY_REFUSALS = {
  slow: (): Refusal => overloaded('the body arrived too slowly while others waited: try again'),
  full: (): Refusal =>
    overloaded(
      'too many bodies arrive at once: try again in a moment, or raise "maxBufferedBytes" (--max-buffered-size on the command line)',
    ),
  long: (): Refusal => tooLarge(),
} as const
