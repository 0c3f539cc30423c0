import { SpindleError } from '../../errors.ts'
import { type PaceLimits, timeReads } from '../../http/timed-reader.ts'

interface FixedLengthStreamConstructor {
  new (length: number): {
    readonly readable: ReadableStream<Uint8Array>
    readonly writable: WritableStream<Uint8Array>
  }
}

const { FixedLengthStream } = globalThis as { FixedLengthStream?: FixedLengthStreamConstructor }

/** Whether a stream of a known length must be made one by the platform. */
export const hasFixedLength: boolean = FixedLengthStream !== undefined

interface PassOptions {
  /** Most bytes. */
  readonly maxBytes: number
  /** How slowly it may come. */
  readonly pace: PaceLimits
  /** In bytes, if it was announced. */
  readonly length: number | undefined
  /** Told what broke it: the true cause when whoever reads it only says that it broke. */
  readonly onFailure?: (error: unknown) => void
}

/**
 * Hands a body on, chunk by chunk, without ever holding it.
 *
 * It errors when it is longer than it may be or was announced, or comes too slowly; what it
 * is read from is cancelled then, and when its reader leaves.
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
              throw wrong(`${seen} of ${length} bytes came`)
            controller.close()
            return
          }
          seen += value.length
          if (seen > maxBytes) throw wrong(`it has more than ${maxBytes} bytes`)
          if (length !== undefined && seen > length) throw wrong(`more than ${length} bytes came`)
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

/** As `pipeTo`, which in workerd reports to nobody what its reader learns anyway. */
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

function wrong(why: string): SpindleError {
  return new SpindleError('ERR_LIMIT_EXCEEDED', `a relayed body was given up: ${why}`)
}
