import type { FetchLike } from '../../types.ts'
import { createHostFuture, readFuture } from '../component/host-transfer.ts'
import type { HostInterface, Stoppable } from '../component/items.ts'
import { fieldsOf, headersOf } from '../wasi/fields.ts'
import { sendRequest, urlOf } from '../wasi/http-outgoing.ts'
import { methodOfVariant, type HttpError } from '../wasi/http-types.ts'
import { err, ok, type Result } from '../wasi/result.ts'
import { createWebInput } from '../wasi/streams.ts'
import type { BodyOutcome, Message, Request3, Response3 } from './http-types.ts'
import { streamOf, webStreamOf } from './transfers.ts'

/** A body of ours for a guest, and how it ends. Trailers don't come through `fetch`. */
export function incomingBody(
  body: ReadableStream<Uint8Array> | null,
): Pick<Message, 'contents' | 'trailers'> {
  if (body === null) return { contents: undefined, trailers: createHostFuture(ok(undefined)) }
  const [contents, trailers] = streamOf(createWebInput(body), (failure) =>
    failure === undefined ? ok(undefined) : err({ tag: 'connection-terminated' }),
  )
  return { contents, trailers }
}

/**
 * A guest's body for us. It fails when the guest says that it broke off; trailers are read, so that
 * the guest is not left waiting, and go nowhere.
 */
export function outgoingBody(message: Message): ReadableStream<Uint8Array> | undefined {
  const end = async (): Promise<void> => {
    const outcome = (await readFuture(message.trailers)) as BodyOutcome | undefined
    if (outcome?.tag !== 'err') return message.sent({ tag: 'ok' })
    message.sent(err(outcome.val))
    throw new Error(`the component broke its body off: ${outcome.val?.tag ?? 'unknown error'}`)
  }
  if (message.contents !== undefined) return webStreamOf(message.contents, end)
  void end().catch(() => {})
  return undefined
}

/** `wasi:http/client`. `send` decides what may be reached, as for `wasi:http/outgoing-handler`. */
export function createClient(send: FetchLike): HostInterface {
  const ask = (request: Request3): Stoppable<Result<Response3, HttpError>> => {
    const url = urlOf(request)
    if (url === undefined) return Promise.resolve(err({ tag: 'HTTP-request-URI-invalid' }))
    const sending = sendRequest(send, url, {
      method: methodOfVariant(request.method),
      headers: headersOf(request.headers),
      body: outgoingBody(request),
      firstByte: request.options?.firstByteTimeout,
    })
    if (sending === undefined) return Promise.resolve(err({ tag: 'HTTP-request-method-invalid' }))
    const answer = sending.settled.then((result): Result<Response3, HttpError> => {
      if (result.tag === 'err') {
        request.sent(result)
        return result
      }
      const { status, headers, body } = result.val as Response
      return ok({
        status,
        headers: fieldsOf(headers),
        sent: () => {},
        ...incomingBody(body),
      }) as Result<Response3, HttpError>
    })
    return Object.assign(answer, { stop: sending.abort })
  }
  return { functions: { send: ask }, waits: new Set(['send']) }
}
