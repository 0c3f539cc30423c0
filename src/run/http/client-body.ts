import { whenAborted } from '../../bytes/abort.ts'
import { withBody } from '../../http/wire.ts'
import type { Place } from './limiter.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** A request's body, for whose bytes its guest waits without keeping others from running. */
export function awaitedBody(
  body: ReadableStream<Uint8Array>,
  place: Place,
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        place.wait()
        try {
          const { done, value } = await reader.read()
          if (done) controller.close()
          else controller.enqueue(value)
        } finally {
          place.resume()
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

interface TakenResponse {
  readonly response: Response
  /** Resolves when the client has received or cancelled the body. */
  readonly done: Promise<void>
}

/**
 * A response whose guest waits, in the same way, until its client takes more of the body. When
 * `signal` aborts it is cut off: its place is another's.
 */
export function takeResponse(response: Response, place: Place, signal: AbortSignal): TakenResponse {
  const { body } = response
  if (body === null) return { response, done: Promise.resolve() }
  const reader = body.getReader()
  // Until the client pulls the first bytes.
  place.wait()
  let waits = true
  const resume = (): void => {
    if (waits) place.resume()
    waits = false
  }
  let finish = (): void => {}
  const done = new Promise<void>((resolve) => (finish = resolve))
  let stopWaiting = (): void => {}
  const end = (): void => {
    stopWaiting()
    finish()
  }
  const taken = new ReadableStream<Bytes>(
    {
      start(controller) {
        const cut = (): void => {
          end()
          controller.error(signal.reason)
          void reader.cancel(signal.reason).catch(() => {})
        }
        stopWaiting = whenAborted(signal, cut)
      },
      async pull(controller) {
        resume()
        try {
          const { done: isOver, value } = await reader.read()
          if (signal.aborted) return
          if (!isOver) {
            controller.enqueue(value)
            place.wait()
            waits = true
            return
          }
          controller.close()
        } catch (error) {
          end()
          throw error
        }
        end()
      },
      cancel(reason) {
        resume()
        end()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
  return { response: withBody(response, taken), done }
}
