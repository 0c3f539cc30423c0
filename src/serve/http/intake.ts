import { bodyOf } from '../../bytes/request-body.ts'
import { algorithmOf, digestOf, formatDigest } from '../../bytes/digest.ts'
import { streamOf } from '../../bytes/stream.ts'
import type { BodyRoom, ReceivedBody } from '../../http/body-room.ts'
import type { Digest, DigestAlgorithm, Hasher } from '../../types.ts'
import { Refusal } from './refusal.ts'

/** Up to this size a body of known length is read at once and hashed natively; above it, streamed. */
export const SMALL_BYTES: number = 1024 * 1024

/** Bytes on their way in: counted, bounded and hashed, since what a client says of them proves nothing. */
interface Intake {
  /** For the storage. Errors at its end when the bytes have not the digest that was promised. */
  readonly stream: ReadableStream<Uint8Array>
  /** Reads what the storage did not want, then says what came. */
  settle(): Promise<{ readonly digest?: Digest; readonly size: number }>
  /** Stops reading. */
  abandon(reason: unknown): void
}

interface IntakeOptions {
  /** Absent: only counted. */
  readonly hash?: { readonly algorithm: DigestAlgorithm; readonly hasher: Hasher }
  /** More is refused as soon as it comes. */
  readonly maxBytes: number
  readonly promised?: Digest
}

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
  // The storage may cancel while a chunk is on its way; `settle` must not hash past it.
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
        // Cancelling is the storage's "I have it already": what was sent must still be checked.
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

/** A body of a known, small size, checked. */
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
 * A request's body; what cuts it off becomes the client's fault, not the server's.
 * @param meter Counts the bytes as they come; what it throws ends the body.
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
                message: 'the body ended early: nothing of it was kept',
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

/** What `Content-Length` says, if anything; `undefined` for a streamed body. */
export function announcedSize(request: Request): number | undefined {
  const header = request.headers.get('Content-Length')
  if (header === null) return request.body === null ? 0 : undefined
  return /^\d{1,15}$/.test(header) ? Number(header) : undefined
}

/** Several streams as one; each is opened when the one before has ended. */
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
    message: 'the content has another digest than was said: nothing of it was kept',
    detail: { promised, actual },
  })
}

export function tooLarge(cause?: unknown): Refusal {
  return new Refusal(
    413,
    { code: 'SIZE_INVALID', message: 'the body is larger than this registry accepts' },
    { cause },
  )
}

function noRoom(message: string): Refusal {
  return new Refusal(429, { code: 'TOOMANYREQUESTS', message }, { headers: { 'Retry-After': '1' } })
}

/** What clients are told whose bodies are not held. */
export const BODY_REFUSALS = {
  slow: (): Refusal => noRoom('the body came in too slowly while others waited: try again'),
  full: (): Refusal =>
    noRoom(
      'too many bodies come in at once: try again in a moment ("maxBufferedBytes", --max-buffered-size at a shell)',
    ),
  long: (): Refusal => tooLarge(),
} as const
