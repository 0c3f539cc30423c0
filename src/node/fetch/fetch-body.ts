import type { ClientRequest } from 'node:http'
import { createCollector, openStream, sizeOf } from '../../bytes/stream.ts'
import { inTime } from '../../http/timing.ts'
import type { OutgoingRequest } from '../../http/sender.ts'
import type { BodySource } from '../../types.ts'
import type { Exchange } from './fetch-answer.ts'

/** Streams up to this size are read before they are sent: their length is known then, and they can be sent again. */
const WHOLE_BYTES = 256 * 1024

/** A request's body: in hand, or as it comes, with the size that was announced, if it was. */
export type OutgoingBody =
  | { readonly bytes: Uint8Array; readonly size: number }
  | {
      readonly begun: readonly Uint8Array[]
      readonly rest: ReadableStreamDefaultReader<Uint8Array>
      readonly size: number | undefined
    }

/** Reads ahead what is small. Rejects as the request would whose source gives nothing: by its signal or deadline. */
export async function takeBody(body: BodySource, request: OutgoingRequest): Promise<OutgoingBody> {
  const announced = request.headers.get('content-length')
  const size = announced === null ? undefined : Number(announced)
  if (size !== undefined && !(Number.isSafeInteger(size) && size >= 0))
    throw new TypeError(`the content-length ${announced} is no number of bytes`)
  if (body instanceof Uint8Array) return whole(body, size)
  const rest = openStream(body).getReader()
  try {
    return await inTime(request, () => readAhead(rest, size, size ?? sizeOf(body)))
  } catch (error) {
    void rest.cancel(error).catch(() => {})
    throw error
  }
}

async function readAhead(
  rest: ReadableStreamDefaultReader<Uint8Array>,
  announced: number | undefined,
  size: number | undefined,
): Promise<OutgoingBody> {
  const begun = createCollector()
  while (begun.size <= WHOLE_BYTES && (announced === undefined || announced <= WHOLE_BYTES)) {
    const { done, value } = await rest.read()
    if (done) return whole(begun.take(), announced)
    begun.add(value)
  }
  return { begun: [begun.take()], rest, size }
}

function whole(bytes: Uint8Array, announced: number | undefined): OutgoingBody {
  if (announced !== undefined && announced !== bytes.length) throw mismatch(announced, bytes.length)
  return { bytes, size: bytes.length }
}

/** Sends a stream as fast as it is taken. What breaks it breaks the request. */
export async function upload(
  sent: ClientRequest,
  { begun, rest, size }: Extract<OutgoingBody, { rest: unknown }>,
  exchange: Exchange,
): Promise<void> {
  let length = 0
  let wake = (): void => {}
  sent.on('drain', () => wake())
  sent.once('close', () => {
    void rest.cancel().catch(() => {})
    wake()
  })
  const send = async (bytes: Uint8Array): Promise<void> => {
    length += bytes.length
    // More would be read as the next request of this connection.
    if (size !== undefined && length > size) throw mismatch(size, `more than ${size}`)
    if (sent.write(bytes) || sent.destroyed) return
    await new Promise<void>((resolve) => (wake = resolve))
  }
  try {
    for (const bytes of begun) await send(bytes)
    for (;;) {
      exchange.isOurTurn = true
      const { done, value } = await rest.read()
      exchange.isOurTurn = false
      if (sent.destroyed) return
      if (done) break
      await send(value)
    }
    if (size !== undefined && length < size) throw mismatch(size, length)
    sent.end()
  } catch (error) {
    exchange.failure = error as Error
    sent.destroy(exchange.failure)
  }
}

function mismatch(size: number, actual: number | string): Error {
  return Object.assign(
    new Error(`a body of ${size} bytes was announced, but ${actual} are to be sent`),
    { code: 'ERR_HTTP_CONTENT_LENGTH_MISMATCH' },
  )
}
