import { takesStreams } from '../../../bytes/request-body.ts'
import { readBounded } from '../../../bytes/stream.ts'
import { exactHeaders, type HeaderPairs, type Wire, wireOf, withWire } from '../../../http/wire.ts'
import type { FetchLike } from '../../../types.ts'
import type { HostInterface } from '../../component/abi/items.ts'
import { MAX_TIMER } from '../../../http/timing.ts'
import type { Ledger } from '../../budget.ts'
import { chargeFields, type Fields, fieldsOf, isForbiddenField, pairsOfFields } from './fields.ts'
import { type HttpError, httpErrorOf } from './http-errors.ts'
import {
  methodOfVariant,
  releaseRequest,
  type FutureResponse,
  type IncomingResponse,
  type OutgoingRequest,
  type RequestOptions,
} from './http-types.ts'
import { err, ok, type Result } from './result.ts'
import { createBytesInput, createWebInput, FREE } from './streams.ts'

/** Origin of requests without an authority, which go to the application itself. */
export const SELF_ORIGIN = 'http://self.alt'

function urlOf(request: Pick<OutgoingRequest, 'scheme' | 'authority' | 'path'>): URL | undefined {
  const scheme =
    request.scheme?.tag === 'HTTP'
      ? 'http'
      : request.scheme?.tag === 'other'
        ? request.scheme.val
        : 'https'
  const origin = (request.authority ?? '') === '' ? SELF_ORIGIN : `${scheme}://${request.authority}`
  const path = request.path ?? '/'
  try {
    return new URL(path.startsWith('/') ? `${origin}${path}` : `${origin}/${path}`)
  } catch {
    return undefined
  }
}

/** Path and query as the guest set them, for a request line: without a fragment. */
export function targetOf({ path }: Pick<OutgoingRequest, 'path'>): string {
  const [target = ''] = (path ?? '/').split('#', 1)
  return target.startsWith('/') ? target : `/${target}`
}

// Bytes charged for a request in flight, including its connection.
export const SENDING_BYTES: number = 64 * 1024

// Limit of a request body where `Request` cannot take a stream, so that the body is buffered.
const MAX_BUFFERED_BODY = 64 * 1024 * 1024

interface SentRequest {
  readonly method: string
  readonly headers: Iterable<readonly [name: string, value: string]>
  /** Path and query as the guest set them. */
  readonly target?: string | undefined
  readonly body: ReadableStream<Uint8Array> | undefined
  readonly trailers?: () => HeaderPairs | undefined
  /** Nanoseconds until the response begins. */
  readonly firstByte: bigint | undefined
  /** Nanoseconds until the connection is established. */
  readonly connect?: bigint | undefined
  /** Nanoseconds between two chunks of the response. */
  readonly betweenBytes?: bigint | undefined
}

function milliseconds(nanoseconds: bigint | undefined): number | undefined {
  if (nanoseconds === undefined) return undefined
  return Math.max(1, Math.min(Number(nanoseconds / 1_000_000n), MAX_TIMER))
}

/** Reads and discards a body. */
function drop(body: ReadableStream<Uint8Array> | undefined): void {
  if (body?.locked === false) void body.pipeTo(new WritableStream()).catch(() => {})
}

/** Response headers for the guest. `fetch` decodes the body but keeps `content-encoding` and `content-length`, so both are removed. */
export function responseHeaders(response: Response): HeaderPairs {
  const headers = exactHeaders(response).filter(([name]) => !isForbiddenField(name))
  // From the network, and not constructed in this process with exact headers.
  const isDecoded = response.url !== '' && wireOf(response) === undefined
  return isDecoded && response.headers.has('content-encoding')
    ? headers.filter(([name]) => name !== 'content-encoding' && name !== 'content-length')
    : headers
}

interface Sending<T> {
  readonly settled: Promise<Result<T, HttpError>>
  readonly abort: () => void
}

/** Sends a guest's request; returns `undefined` when `Request` rejects it. Redirects are not followed. */
export function sendRequest(
  send: FetchLike,
  url: URL,
  sent: SentRequest,
  ledger: Ledger = FREE,
): Sending<Response> | undefined {
  const { method, body, firstByte } = sent
  // Waiting for `100 Continue` cannot be negotiated across two hops.
  const headers = [...sent.headers].filter(([name]) => name.toLowerCase() !== 'expect')
  const abort = new AbortController()
  const sends = body !== undefined && method !== 'GET' && method !== 'HEAD'
  const whole = sends && !takesStreams()
  let made: Request
  try {
    made = new Request(url, {
      method,
      headers: headers as [string, string][],
      redirect: 'manual',
      signal: abort.signal,
      ...(sends && !whole && { body, duplex: 'half' }),
    } as RequestInit)
  } catch {
    return undefined
  }
  let isTaken = false
  let held = 0
  /** Charges a buffered body twice until it is sent: for its chunks and for the joined copy. */
  const counter = (): TransformStream<Uint8Array, Uint8Array> =>
    new TransformStream({
      transform(chunk, controller) {
        ledger.charge(2 * chunk.length)
        held += 2 * chunk.length
        controller.enqueue(chunk)
      },
    })
  const wire: Wire = {
    headers,
    ...(sent.target !== undefined && { target: sent.target }),
    trailers: sent.trailers,
    ...(body !== undefined &&
      !sends && {
        takeBody() {
          isTaken = true
          return body
        },
      }),
    timeouts: { connect: milliseconds(sent.connect), idle: milliseconds(sent.betweenBytes) },
  }
  const timer =
    firstByte === undefined
      ? undefined
      : setTimeout(
          () => abort.abort(new DOMException('no response in time', 'TimeoutError')),
          milliseconds(firstByte),
        )
  const answered = whole
    ? readBounded(
        body.pipeThrough(counter()),
        MAX_BUFFERED_BODY,
        'the body of a request',
        abort.signal,
      ).then((bytes) => send(withWire(new Request(made, { body: bytes }), wire)))
    : send(withWire(made, wire))
  const settled = answered
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
      // The unsent rest of the body is not needed any more.
      if (body?.locked === false) void body.cancel().catch(() => {})
      return err(httpErrorOf(error))
    })
    .finally(() => {
      clearTimeout(timer)
      ledger.release(held)
      // A guest that opens a body for GET must be able to write it out.
      if (!sends && !isTaken) drop(body)
    })
  return { settled, abort: () => abort.abort() }
}

/** A response with its headers charged, and `SENDING_BYTES` for the connection until the body ends. */
export interface Answer {
  readonly response: Response
  readonly headers: Fields
}

/**
 * Sends a guest's request and charges its memory to `ledger` until the response, then the response's.
 * Returns an `HttpError` for the guest when the request cannot be sent.
 */
export function sendCharged(
  send: FetchLike,
  request: Pick<OutgoingRequest, 'method' | 'scheme' | 'authority' | 'path' | 'headers' | 'held'>,
  sent: Pick<SentRequest, 'trailers' | 'firstByte' | 'connect' | 'betweenBytes'> & {
    /** Called only when the URL is valid. */
    readonly body: () => ReadableStream<Uint8Array> | undefined
  },
  ledger: Ledger,
): Sending<Answer> | HttpError {
  const refuse = (tag: string): HttpError => {
    releaseRequest(ledger, request)
    return { tag }
  }
  const url = urlOf(request)
  if (url === undefined) return refuse('HTTP-request-URI-invalid')
  ledger.charge(SENDING_BYTES)
  const sending = sendRequest(
    send,
    url,
    {
      ...sent,
      method: methodOfVariant(request.method),
      headers: pairsOfFields(request.headers),
      target: targetOf(request),
      body: sent.body(),
    },
    ledger,
  )
  if (sending === undefined) {
    ledger.release(SENDING_BYTES)
    return refuse('HTTP-request-method-invalid')
  }
  const settled = sending.settled.then((outcome): Result<Answer, HttpError> => {
    releaseRequest(ledger, request)
    ledger.release(SENDING_BYTES)
    if (outcome.tag === 'err') return outcome
    const response = outcome.val as Response
    if (response.body !== null) ledger.charge(SENDING_BYTES)
    return ok({ response, headers: chargeFields(ledger, fieldsOf(responseHeaders(response))) })
  })
  return { settled, abort: sending.abort }
}

/** The `incoming-response` resource for a response. */
function incomingResponse({ response, headers }: Answer, ledger: Ledger): IncomingResponse {
  const { body } = response
  return {
    status: response.status,
    headers,
    consumed: false,
    body: {
      taken: false,
      trailers: () => wireOf(response)?.trailers?.(),
      open: () =>
        body === null
          ? createBytesInput(new Uint8Array())
          : createWebInput(body, ledger, SENDING_BYTES),
    },
  }
}

/**
 * `wasi:http/outgoing-handler`. `send` enforces the allowed hosts: it rejects other requests with
 * `ERR_POLICY_REJECTED`. Redirects are not followed, so each target is checked as a new request.
 */
export function createOutgoingHandler(send: FetchLike, ledger: Ledger = FREE): HostInterface {
  const handle = (request: OutgoingRequest, options?: RequestOptions): Result => {
    const body = request.body?.pipe.stream
    const sending = sendCharged(
      send,
      request,
      {
        body: () => body,
        trailers: () => request.body?.trailers,
        firstByte: options?.firstByte,
        connect: options?.connect,
        betweenBytes: options?.betweenBytes,
      },
      ledger,
    )
    if ('tag' in sending) {
      void body?.cancel().catch(() => {})
      return err(sending)
    }
    const future: FutureResponse = {
      outcome: undefined,
      taken: false,
      abort: sending.abort,
      pollable: { ready: () => future.outcome !== undefined, wait: () => settled },
    }
    const settled = sending.settled.then((outcome) => {
      future.outcome =
        outcome.tag === 'ok' ? ok(incomingResponse(outcome.val as Answer, ledger)) : outcome
    })
    // Beyond the budget the guest has ended already.
    settled.catch(() => {})
    return ok(future)
  }
  return { functions: { handle } }
}
