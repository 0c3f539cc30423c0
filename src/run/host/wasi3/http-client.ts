import { type HeaderPairs, wireOf } from '../../../http/wire.ts'
import type { FetchLike } from '../../../types.ts'
import { createHostFuture } from '../../component/async/host-transfer.ts'
import type { HostInterface, Stoppable } from '../../component/abi/items.ts'
import type { Ledger } from '../../budget.ts'
import { chargeFields, fieldsOf, pairsOfFields, releaseFields } from '../wasi/fields.ts'
import { type Answer, SENDING_BYTES, sendCharged } from '../wasi/http-outgoing.ts'
import type { HttpError } from '../wasi/http-errors.ts'
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
  /** Bytes charged for the connection. */
  readonly overhead?: number
  /** Called once the body has ended. */
  readonly trailers: () => HeaderPairs | undefined
}

/** Contents and trailers of a host body for a guest. */
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

/** A guest's body for the host. It fails when the guest reports an error in its trailers. */
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

/** `wasi:http/client`. `send` enforces the allowed hosts, as for `wasi:http/outgoing-handler`. */
export function createClient(send: FetchLike, ledger: Ledger): HostInterface {
  const ask = (request: Request3): Stoppable<Result<Response3, HttpError>> => {
    let trailers: HeaderPairs | undefined
    const sending = sendCharged(
      send,
      request,
      {
        body: () => outgoingBody(request, ledger, (given) => (trailers = given)),
        trailers: () => trailers,
        firstByte: request.options?.firstByteTimeout,
        connect: request.options?.connectTimeout,
        betweenBytes: request.options?.betweenBytesTimeout,
      },
      ledger,
    )
    if ('tag' in sending) return Promise.resolve(err(sending))
    const answer = sending.settled.then((result): Result<Response3, HttpError> => {
      if (result.tag === 'err') {
        request.sent(result)
        return result
      }
      const { response, headers } = result.val as Answer
      return ok({
        status: response.status,
        headers,
        sent: () => {},
        ...incomingBody(response.body, ledger, {
          overhead: SENDING_BYTES,
          trailers: () => wireOf(response)?.trailers?.(),
        }),
      }) as Result<Response3, HttpError>
    })
    return Object.assign(answer, { stop: sending.abort })
  }
  return { functions: { send: ask }, waits: new Set(['send']) }
}
