import type { HostInterface } from '../../component/abi/items.ts'
import type { HeaderPairs } from '../../../http/wire.ts'
import type { Ledger } from '../../budget.ts'
import {
  chargeFields,
  copyFields,
  createFieldsFunctions,
  fieldsOf,
  pairsOfFields,
  releaseFields,
  type Fields,
} from './fields.ts'
import type { HttpError } from './http-errors.ts'
import { err, ok, type Result } from './result.ts'
import type { BodyPipe } from './body-pipe.ts'
import { READY, type InputStream, type Pollable } from './streams.ts'
import type { IoError } from './io.ts'

export interface Variant {
  readonly tag: string
  readonly val?: string
}

interface IncomingBody {
  open: () => InputStream
  taken: boolean
  /** Called once it has ended. */
  readonly trailers: () => HeaderPairs | undefined
}

export interface IncomingRequest {
  readonly method: Variant
  readonly scheme: Variant
  readonly authority: string
  readonly path: string
  readonly headers: Fields
  readonly body: IncomingBody
  consumed: boolean
}

export interface IncomingResponse {
  readonly status: number
  readonly headers: Fields
  readonly body: IncomingBody
  consumed: boolean
}

/** A body that a guest writes; `pipe` is created with it. */
export interface OutgoingBody {
  readonly pipe: BodyPipe
  taken: boolean
  finished: boolean
  /** Trailers that the guest set. */
  trailers?: HeaderPairs
}

export interface OutgoingRequest {
  readonly headers: Fields
  method: Variant
  scheme: Variant | undefined
  authority: string | undefined
  path: string | undefined
  body: OutgoingBody | undefined
  /** Bytes charged for its strings. */
  held?: number
}

export interface OutgoingResponse {
  readonly headers: Fields
  status: number
  body: OutgoingBody | undefined
}

export interface ResponseOutparam {
  readonly set: (response: Result<OutgoingResponse, HttpError>) => void
}

export interface FutureResponse {
  readonly pollable: Pollable
  outcome: Result<IncomingResponse, HttpError> | undefined
  taken: boolean
  readonly abort: () => void
}

interface FutureTrailers {
  readonly trailers: HeaderPairs | undefined
  taken: boolean
}

export interface RequestOptions {
  connect?: bigint
  firstByte?: bigint
  betweenBytes?: bigint
}

const METHODS = ['get', 'head', 'post', 'put', 'delete', 'connect', 'options', 'trace', 'patch']

export function variantOfMethod(method: string): Variant {
  const tag = method.toLowerCase()
  return METHODS.includes(tag) && tag.toUpperCase() === method
    ? { tag }
    : { tag: 'other', val: method }
}

export function methodOfVariant(method: Variant): string {
  return method.tag === 'other' ? (method.val ?? '') : method.tag.toUpperCase()
}

export function isMethod(method: Variant): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(methodOfVariant(method))
}

export function isPath(path: string | undefined): boolean {
  return path === undefined || /^[\x21-\x7e]*$/.test(path)
}

export function isScheme(scheme: Variant | undefined): boolean {
  return scheme?.tag !== 'other' || /^[A-Za-z][A-Za-z0-9+.-]*$/.test(scheme.val ?? '')
}

export function isAuthority(authority: string | undefined): boolean {
  // Empty for the application itself.
  return authority === undefined || /^[^\s/?#@\\]*$/.test(authority)
}

function openBody(holder: { body: OutgoingBody | undefined }, createPipe: () => BodyPipe): Result {
  if (holder.body !== undefined) return err()
  holder.body = { pipe: createPipe(), taken: false, finished: false }
  return ok(holder.body)
}

function consume(message: IncomingRequest | IncomingResponse): Result {
  if (message.consumed) return err()
  message.consumed = true
  return ok(message.body)
}

/** Closes an unread body: cancels its source and frees the connection. */
function leave(body: IncomingBody): void {
  if (body.taken) return
  body.taken = true
  body.open().close()
}

function finish(body: OutgoingBody): Result {
  body.finished = true
  body.pipe.output.close()
  return ok()
}

function setter<K extends string>(
  target: Record<K, unknown>,
  key: K,
  value: unknown,
  valid: boolean,
): Result {
  if (!valid) return err()
  target[key] = value
  return ok()
}

/** Releases a message that is never sent, and cancels its body. */
function discard(ledger: Ledger, { headers, body }: OutgoingRequest | OutgoingResponse): void {
  releaseFields(ledger, headers)
  void body?.pipe.stream.cancel().catch(() => {})
}

/** The strings of a request; their length is up to the guest. */
interface Texts {
  readonly headers: Fields
  readonly method: Variant
  readonly scheme: Variant | undefined
  readonly authority: string | undefined
  readonly path: string | undefined
  held?: number
}

/** Releases the charge of a request that was sent or never will be. */
export function releaseRequest(ledger: Ledger, request: Texts): void {
  releaseFields(ledger, request.headers)
  ledger.release(request.held ?? 0)
  request.held = 0
}

export function chargeRequest(ledger: Ledger, request: Texts): void {
  const { method, scheme, authority, path } = request
  const texts = [method.val, scheme?.val, authority, path]
  const bytes = texts.reduce((sum, text) => sum + 2 * (text?.length ?? 0), 0)
  ledger.release(request.held ?? 0)
  request.held = 0
  ledger.charge(bytes)
  request.held = bytes
}

function timeout(key: keyof RequestOptions): HostInterface['functions'] {
  const name = {
    connect: 'connect-timeout',
    firstByte: 'first-byte-timeout',
    betweenBytes: 'between-bytes-timeout',
  }[key]
  const get = (options: RequestOptions): unknown => options[key]
  const set = (options: RequestOptions, value: bigint | undefined): Result => {
    if (value === undefined) delete options[key]
    else options[key] = value
    return ok()
  }
  // The 2023 drafts name the functions with `-ms`; the unit is the same.
  return {
    [`[method]request-options.${name}`]: get,
    [`[method]request-options.set-${name}`]: set,
    [`[method]request-options.${name}-ms`]: get,
    [`[method]request-options.set-${name}-ms`]: set,
  }
}

/** Shared by all components: the functions have no state. */
const OPTIONS: HostInterface['functions'] = {
  ...timeout('connect'),
  ...timeout('firstByte'),
  ...timeout('betweenBytes'),
}

/** `wasi:http/types` 0.2.x. `createPipe` decides how bodies are buffered; `ledger` is charged for the rest. */
export function createHttpTypes(createPipe: () => BodyPipe, ledger: Ledger): HostInterface {
  const body = (holder: OutgoingRequest | OutgoingResponse): Result => openBody(holder, createPipe)
  const setText = <K extends 'method' | 'path' | 'scheme' | 'authority'>(
    request: OutgoingRequest,
    key: K,
    value: OutgoingRequest[K],
    valid: boolean,
  ): Result => {
    const result = setter(request, key, value, valid)
    chargeRequest(ledger, request)
    return result
  }
  const functions: HostInterface['functions'] = {
    ...createFieldsFunctions(ledger),
    'http-error-code': (error: IoError) => error.httpCode,
    '[method]incoming-request.method': (request: IncomingRequest) => request.method,
    '[method]incoming-request.path-with-query': (request: IncomingRequest) => request.path,
    '[method]incoming-request.scheme': (request: IncomingRequest) => request.scheme,
    '[method]incoming-request.authority': (request: IncomingRequest) => request.authority,
    '[method]incoming-request.headers': (request: IncomingRequest) => request.headers,
    '[method]incoming-request.consume': consume,
    '[constructor]outgoing-request': (headers: Fields): OutgoingRequest => ({
      headers,
      method: { tag: 'get' },
      scheme: undefined,
      authority: undefined,
      path: undefined,
      body: undefined,
    }),
    '[method]outgoing-request.body': body,
    '[method]outgoing-request.method': (request: OutgoingRequest) => request.method,
    '[method]outgoing-request.set-method': (request: OutgoingRequest, method: Variant) =>
      setText(request, 'method', method, isMethod(method)),
    '[method]outgoing-request.path-with-query': (request: OutgoingRequest) => request.path,
    '[method]outgoing-request.set-path-with-query': (request: OutgoingRequest, path?: string) =>
      setText(request, 'path', path, isPath(path)),
    '[method]outgoing-request.scheme': (request: OutgoingRequest) => request.scheme,
    '[method]outgoing-request.set-scheme': (request: OutgoingRequest, scheme?: Variant) =>
      setText(request, 'scheme', scheme, isScheme(scheme)),
    '[method]outgoing-request.authority': (request: OutgoingRequest) => request.authority,
    '[method]outgoing-request.set-authority': (request: OutgoingRequest, authority?: string) =>
      setText(request, 'authority', authority, isAuthority(authority)),
    '[method]outgoing-request.headers': (request: OutgoingRequest): Fields =>
      copyFields(ledger, request.headers, false),
    '[resource-drop]outgoing-request': (request: OutgoingRequest) => {
      releaseRequest(ledger, request)
      discard(ledger, request)
    },
    '[constructor]request-options': (): RequestOptions => ({}),
    ...OPTIONS,
    '[static]response-outparam.set': (
      outparam: ResponseOutparam,
      response: Result<OutgoingResponse, HttpError>,
    ) => outparam.set(response),
    '[method]response-outparam.send-informational': () => ok(),
    '[method]incoming-response.status': (response: IncomingResponse) => response.status,
    '[method]incoming-response.headers': (response: IncomingResponse) =>
      copyFields(ledger, response.headers, false),
    '[method]incoming-response.consume': consume,
    '[resource-drop]incoming-response': ({ consumed, headers, body }: IncomingResponse) => {
      releaseFields(ledger, headers)
      if (!consumed) leave(body)
    },
    '[method]incoming-body.stream': (incoming: IncomingBody) => {
      if (incoming.taken) return err()
      incoming.taken = true
      return ok(incoming.open())
    },
    '[resource-drop]incoming-body': leave,
    '[static]incoming-body.finish': (incoming: IncomingBody): FutureTrailers => {
      leave(incoming)
      return { trailers: incoming.trailers(), taken: false }
    },
    '[method]future-trailers.subscribe': () => READY,
    '[method]future-trailers.get': (future: FutureTrailers) => {
      if (future.taken) return err()
      future.taken = true
      const { trailers } = future
      return ok(ok(trailers === undefined ? undefined : chargeFields(ledger, fieldsOf(trailers))))
    },
    '[constructor]outgoing-response': (headers: Fields): OutgoingResponse => ({
      headers,
      status: 200,
      body: undefined,
    }),
    '[method]outgoing-response.status-code': (response: OutgoingResponse) => response.status,
    '[method]outgoing-response.set-status-code': (response: OutgoingResponse, status: number) =>
      setter(response, 'status', status, status >= 100 && status <= 999),
    '[method]outgoing-response.headers': (response: OutgoingResponse): Fields =>
      copyFields(ledger, response.headers, false),
    '[resource-drop]outgoing-response': (response: OutgoingResponse) => discard(ledger, response),
    '[method]outgoing-response.body': body,
    '[method]outgoing-body.write': (outgoing: OutgoingBody) => {
      if (outgoing.taken) return err()
      outgoing.taken = true
      // Dropping the stream doesn't end the body. `finish` does; without it the body is aborted.
      return ok({ ...outgoing.pipe.output, close() {} })
    },
    '[static]outgoing-body.finish': (outgoing: OutgoingBody, trailers?: Fields) => {
      // The trailers stay charged: there is no event for when they have been sent.
      if (trailers !== undefined) outgoing.trailers = pairsOfFields(trailers)
      return finish(outgoing)
    },
    '[resource-drop]outgoing-body': (outgoing: OutgoingBody) => {
      if (!outgoing.finished)
        outgoing.pipe.breakOff(new Error('the component dropped the body before its end'))
    },
    '[method]future-incoming-response.subscribe': (future: FutureResponse) => future.pollable,
    '[method]future-incoming-response.get': (future: FutureResponse) => {
      if (future.outcome === undefined) return undefined
      if (future.taken) return err()
      future.taken = true
      return ok(future.outcome)
    },
    '[resource-drop]future-incoming-response': ({ outcome, taken, abort }: FutureResponse) => {
      if (outcome === undefined) abort()
      else if (!taken && outcome.tag === 'ok') {
        const { headers, body } = outcome.val as IncomingResponse
        releaseFields(ledger, headers)
        leave(body)
      }
    },
  }
  return { functions }
}
