import { takesStreams } from '../../bytes/request-body.ts'
import { readBounded } from '../../bytes/stream.ts'
import { isSpindleError } from '../../errors.ts'
import type { FetchLike } from '../../types.ts'
import type { HostInterface } from '../component/items.ts'
import { LONGEST_TIMER } from '../longest-timer.ts'
import type { Ledger } from '../budget.ts'
import { chargeFields, fieldsOf, pairsOfFields } from './fields.ts'
import {
  methodOfVariant,
  releaseRequest,
  type FutureResponse,
  type HttpError,
  type IncomingResponse,
  type OutgoingRequest,
  type RequestOptions,
} from './http-types.ts'
import { err, ok, type Result } from './result.ts'
import { createBytesInput, createWebInput, FREE } from './streams.ts'

/** A request URL that has no host: it goes to the application itself. */
export const SELF_ORIGIN = 'http://self.alt'

export function urlOf(
  request: Pick<OutgoingRequest, 'scheme' | 'authority' | 'path'>,
): URL | undefined {
  const scheme =
    request.scheme?.tag === 'HTTP'
      ? 'http'
      : request.scheme?.tag === 'other'
        ? request.scheme.val
        : 'https'
  const origin = request.authority === undefined ? SELF_ORIGIN : `${scheme}://${request.authority}`
  const path = request.path ?? '/'
  try {
    return new URL(path.startsWith('/') ? `${origin}${path}` : `${origin}/${path}`)
  } catch {
    return undefined
  }
}

function incomingResponse(response: Response, ledger: Ledger): IncomingResponse {
  const { body } = response
  // As long as its body may still come it has a connection.
  if (body !== null) ledger.charge(SENDING_BYTES)
  return {
    status: response.status,
    headers: chargeFields(ledger, fieldsOf(response.headers)),
    consumed: false,
    body: {
      taken: false,
      trailers: () => undefined,
      open: () =>
        body === null
          ? createBytesInput(new Uint8Array())
          : createWebInput(body, ledger, SENDING_BYTES),
    },
  }
}

function errorOf(error: unknown): HttpError {
  if (isSpindleError(error) && error.code === 'ERR_POLICY_REJECTED')
    return { tag: 'HTTP-request-denied' }
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return { tag: 'HTTP-response-timeout' }
  // What a network failure says may name internal hosts; the guest learns only that there was one.
  return { tag: 'destination-unavailable' }
}

// What a request takes on its way, its connection included.
export const SENDING_BYTES: number = 64 * 1024

// Where requests can't be made of streams, a body is held in full.
const MOST_WHOLE = 64 * 1024 * 1024

interface SentRequest {
  readonly method: string
  readonly headers: Headers
  readonly body: ReadableStream<Uint8Array> | undefined
  /** Nanoseconds until the response begins. */
  readonly firstByte: bigint | undefined
}

interface Sending {
  readonly settled: Promise<Result<Response, HttpError>>
  readonly abort: () => void
}

/** Sends a guest's request; `undefined` when `fetch` can't carry it. Redirects are the guest's to follow. */
export function sendRequest(
  send: FetchLike,
  url: URL,
  { method, headers, body, firstByte }: SentRequest,
): Sending | undefined {
  const abort = new AbortController()
  const sends = body !== undefined && method !== 'GET' && method !== 'HEAD'
  const whole = sends && !takesStreams()
  let made: Request
  try {
    made = new Request(url, {
      method,
      headers,
      redirect: 'manual',
      signal: abort.signal,
      ...(sends && !whole && { body, duplex: 'half' }),
    } as RequestInit)
  } catch {
    return undefined
  }
  // A guest that opens a body for GET must still be able to write it out.
  if (body !== undefined && !sends) void body.cancel()
  const timer =
    firstByte === undefined
      ? undefined
      : setTimeout(
          () => abort.abort(new DOMException('no response in time', 'TimeoutError')),
          Math.min(Number(firstByte / 1_000_000n), LONGEST_TIMER),
        )
  const sent = whole
    ? readBounded(body, MOST_WHOLE, 'the body of a request', abort.signal).then((bytes) =>
        send(new Request(made, { body: bytes })),
      )
    : send(made)
  const settled = sent
    .then((response): Result<Response, HttpError> => {
      if (response.type === 'opaqueredirect') {
        return err({
          tag: 'internal-error',
          val: 'a page may not see redirects: ask for the final URL',
        })
      }
      return ok(response)
    })
    .catch((error: unknown) => {
      // Whatever of its body was not sent is held for nobody.
      void body?.cancel().catch(() => {})
      return err(errorOf(error))
    })
    .finally(() => clearTimeout(timer))
  return { settled, abort: () => abort.abort() }
}

/**
 * `wasi:http/outgoing-handler`. `send` decides what may be reached: it rejects with
 * `ERR_POLICY_REJECTED` what may not. Redirects are the guest's to follow, so each is decided anew.
 */
export function createOutgoingHandler(send: FetchLike, ledger: Ledger = FREE): HostInterface {
  const handle = (request: OutgoingRequest, options?: RequestOptions): Result => {
    const url = urlOf(request)
    const refuse = (tag: string): Result => {
      releaseRequest(ledger, request)
      void request.body?.pipe.stream.cancel().catch(() => {})
      return err({ tag })
    }
    if (url === undefined) return refuse('HTTP-request-URI-invalid')
    ledger.charge(SENDING_BYTES)
    const sending = sendRequest(send, url, {
      method: methodOfVariant(request.method),
      headers: new Headers(pairsOfFields(request.headers) as [string, string][]),
      body: request.body?.pipe.stream,
      firstByte: options?.firstByte,
    })
    if (sending === undefined) {
      ledger.release(SENDING_BYTES)
      return refuse('HTTP-request-method-invalid')
    }
    const future: FutureResponse = {
      outcome: undefined,
      taken: false,
      abort: sending.abort,
      pollable: { ready: () => future.outcome !== undefined, wait: () => settled },
    }
    const settled = sending.settled.then((outcome) => {
      releaseRequest(ledger, request)
      ledger.release(SENDING_BYTES)
      future.outcome =
        outcome.tag === 'ok' ? ok(incomingResponse(outcome.val as Response, ledger)) : outcome
    })
    // Beyond the budget the guest has ended already.
    settled.catch(() => {})
    return ok(future)
  }
  return { functions: { handle } }
}
