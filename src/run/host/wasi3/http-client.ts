import { type HeaderPairs, wireOf } from '../../../http/wire.ts'
import type { FetchLike } from '../../../types.ts'
import { createHostFuture } from '../../component/async/host-transfer.ts'
import type { HostInterface, Stoppable } from '../../component/abi/items.ts'
import type { Ledger } from '../../budget.ts'
import { chargeFields, fieldsOf, pairsOfFields, releaseFields } from '../wasi/fields.ts'
import {
  responseHeaders,
  SENDING_BYTES,
  sendRequest,
  targetOf,
  urlOf,
} from '../wasi/http-outgoing.ts'
import type { HttpError } from '../wasi/http-errors.ts'
import { methodOfVariant, releaseRequest } from '../wasi/http-types.ts'
import { err, ok, type Result } from '../wasi/result.ts'
import { createWebInput } from '../wasi/streams.ts'
import {
  readOutcome,
  type BodyOutcome,
  type Message,
  type Request3,
  type Response3,
} from './http-types.ts'
import { streamOf, webStreamOf } from './transfers.ts'

interface IncomingOptions {
  /** Bytes paid for the connection. */
  readonly overhead?: number
  /** Called once the body has ended. */
  readonly trailers: () => HeaderPairs | undefined
}

/** A body of ours for a guest, and how it ends. */
export function incomingBody(
  body: ReadableStream<Uint8Array> | null,
  ledger: Ledger,
  { overhead = 0, trailers: given }: IncomingOptions,
): Pick<Message, 'contents' | 'trailers'> {
  if (body === null) return { contents: undefined, trailers: createHostFuture(ok(undefined)) }
  const [contents, trailers] = streamOf(createWebInput(body, ledger, overhead), (failure) => {
    if (failure !== undefined) return err({ tag: 'connection-terminated' })
    const pairs = given()
    return ok(pairs === undefined ? undefined : chargeFields(ledger, fieldsOf(pairs)))
  })
  return { contents, trailers }
}

/** A guest's body for us. It fails when the guest says that it broke off. */
export function outgoingBody(
  message: Message,
  ledger: Ledger,
  onTrailers: (trailers: HeaderPairs) => void,
): ReadableStream<Uint8Array> | undefined {
  const end = async (): Promise<void> => {
    const outcome = (await readOutcome(ledger, message.trailers)) as BodyOutcome | undefined
    if (outcome?.tag !== 'err') {
      if (outcome?.val !== undefined) {
        onTrailers(pairsOfFields(outcome.val))
        releaseFields(ledger, outcome.val)
      }
      return message.sent({ tag: 'ok' })
    }
    message.sent(err(outcome.val))
    throw new Error(`the component broke its body off: ${outcome.val?.tag ?? 'unknown error'}`)
  }
  if (message.contents !== undefined) return webStreamOf(message.contents, end, ledger)
  void end().catch(() => {})
  return undefined
}

/** `wasi:http/client`. `send` decides what may be reached, as for `wasi:http/outgoing-handler`. */
export function createClient(send: FetchLike, ledger: Ledger): HostInterface {
  const ask = (request: Request3): Stoppable<Result<Response3, HttpError>> => {
    const url = urlOf(request)
    const refuse = (tag: string): Promise<Result<Response3, HttpError>> => {
      releaseRequest(ledger, request)
      return Promise.resolve(err({ tag }))
    }
    if (url === undefined) return refuse('HTTP-request-URI-invalid')
    ledger.charge(SENDING_BYTES)
    let trailers: HeaderPairs | undefined
    const sending = sendRequest(
      send,
      url,
      {
        method: methodOfVariant(request.method),
        headers: pairsOfFields(request.headers),
        target: targetOf(request),
        body: outgoingBody(request, ledger, (given) => (trailers = given)),
        trailers: () => trailers,
        firstByte: request.options?.firstByteTimeout,
        connect: request.options?.connectTimeout,
        betweenBytes: request.options?.betweenBytesTimeout,
      },
      ledger,
    )
    if (sending === undefined) {
      ledger.release(SENDING_BYTES)
      return refuse('HTTP-request-method-invalid')
    }
    const answer = sending.settled.then((result): Result<Response3, HttpError> => {
      releaseRequest(ledger, request)
      ledger.release(SENDING_BYTES)
      if (result.tag === 'err') {
        request.sent(result)
        return result
      }
      const response = result.val as Response
      const { status, body } = response
      if (body !== null) ledger.charge(SENDING_BYTES)
      return ok({
        status,
        headers: chargeFields(ledger, fieldsOf(responseHeaders(response))),
        sent: () => {},
        ...incomingBody(body, ledger, {
          overhead: SENDING_BYTES,
          trailers: () => wireOf(response)?.trailers?.(),
        }),
      }) as Result<Response3, HttpError>
    })
    return Object.assign(answer, { stop: sending.abort })
  }
  return { functions: { send: ask }, waits: new Set(['send']) }
}
