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

/** A response whose guest waits, in the same way, until its client takes more of the body. */
export function takenResponse(response: Response, place: Place): Response {
  const { body } = response
  if (body === null) return response
  const reader = body.getReader()
  // Until its client asks for the first bytes.
  place.wait()
  let waits = true
  const resume = (): void => {
    if (waits) place.resume()
    waits = false
  }
  const taken = new ReadableStream<Bytes>(
    {
      async pull(controller) {
        resume()
        const { done, value } = await reader.read()
        if (done) return controller.close()
        controller.enqueue(value)
        place.wait()
        waits = true
      },
      cancel(reason) {
        resume()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
  return withBody(response, taken)
}
