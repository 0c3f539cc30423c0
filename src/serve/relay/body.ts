import { SpindleError } from '../../errors.ts'
import { type PaceLimits, timeReads } from '../../http/timed-reader.ts'

interface FixedLengthStreamConstructor {
  new (length: number): {
    readonly readable: ReadableStream<Uint8Array>
    readonly writable: WritableStream<Uint8Array>
  }
}

const { FixedLengthStream } = globalThis as { FixedLengthStream?: FixedLengthStreamConstructor }

/** Whether the platform needs a `FixedLengthStream` to send a stream of known length (workerd). */
export const hasFixedLength: boolean = FixedLengthStream !== undefined

interface PassOptions {
  /** Largest size. */
  readonly maxBytes: number
  /** Least speed. */
  readonly pace: PaceLimits
  /** Announced size in bytes, if any. */
  readonly length: number | undefined
  /** Called with the original error, because the reader of the stream may report another one. */
  readonly onFailure?: (error: unknown) => void
}

/**
 * Forwards a body chunk by chunk, without buffering.
 *
 * Errors, and cancels the source, when the body is longer than allowed or announced, or too slow. Also
 * cancels the source when the reader cancels.
 */
export function passBody(
  source: ReadableStream<Uint8Array>,
  { maxBytes, pace, length, onFailure }: PassOptions,
): ReadableStream<Uint8Array> {
  const reader = source.getReader()
  const { next, end } = timeReads(reader, pace, 'a relayed body')
  let seen = 0
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const value = await next()
          if (value === undefined) {
            end()
            if (length !== undefined && seen !== length)
              throw limitError(`it has ${seen} bytes instead of the announced ${length}`)
            controller.close()
            return
          }
          seen += value.length
          if (seen > maxBytes) throw limitError(`it has more than ${maxBytes} bytes`)
          if (length !== undefined && seen > length)
            throw limitError(`it has more than the announced ${length} bytes`)
          controller.enqueue(value)
        } catch (error) {
          onFailure?.(error)
          end()
          controller.error(error)
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  )
  if (length === undefined || FixedLengthStream === undefined) return stream
  const { readable, writable } = new FixedLengthStream(length)
  void feed(stream, writable)
  return readable
}

/** Like `pipeTo`, which in workerd causes an unhandled rejection in addition to the reader's error. */
async function feed(
  stream: ReadableStream<Uint8Array>,
  writable: WritableStream<Uint8Array>,
): Promise<void> {
  const reader = stream.getReader()
  const writer = writable.getWriter()
  writer.closed.catch(() => {})
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read())
      await writer.write(next.value)
    await writer.close()
  } catch (error) {
    await Promise.allSettled([reader.cancel(error), writer.abort(error)])
  }
}

function limitError(why: string): SpindleError {
  return new SpindleError('ERR_LIMIT_EXCEEDED', `the relayed body was aborted: ${why}`)
}
