import type { HostInterface } from '../../component/abi/items.ts'
import { createHostFuture, readFuture } from '../../component/async/host-transfer.ts'
import type { Readable } from '../../component/abi/transfer.ts'
import type { Ledger } from '../../budget.ts'
import { copyFields, createFieldsFunctions, releaseFields, type Fields } from '../wasi/fields.ts'
import type { HttpError } from '../wasi/http-errors.ts'
import {
  chargeRequest,
  isAuthority,
  isMethod,
  isPath,
  isScheme,
  releaseRequest,
  type Variant,
} from '../wasi/http-types.ts'
import { err, ok, type Result } from '../wasi/result.ts'
import { createBytesInput } from '../wasi/streams.ts'
import { streamOf } from './transfers.ts'

/** Outcome of a body: its trailers, if any, or the error that aborted it. */
export type BodyOutcome = Result<Fields, HttpError>

/** A request or response in transit, created by the host or a guest. */
export interface Message {
  readonly headers: Fields
  readonly contents: Readable | undefined
  /** Future of a `BodyOutcome`. */
  readonly trailers: Readable
  /** Reports to the creator whether it was sent. */
  readonly sent: (result: Result<undefined, HttpError>) => void
}

export interface Request3 extends Message {
  method: Variant
  scheme: Variant | undefined
  authority: string | undefined
  path: string | undefined
  readonly options: RequestOptions3 | undefined
  /** Bytes charged for its strings. */
  held?: number
}

export interface Response3 extends Message {
  status: number
}

interface RequestOptions3 {
  readonly connectTimeout?: bigint | undefined
  readonly firstByteTimeout?: bigint | undefined
  readonly betweenBytesTimeout?: bigint | undefined
  readonly mutable: boolean
}

const OK = ok()

function set<T, K extends keyof T>(target: T, key: K, value: T[K], valid: boolean): Result {
  if (!valid) return err()
  target[key] = value
  return OK
}

function frozen(fields: Fields): Fields {
  return { ...fields, mutable: false }
}

/** `new` of requests and responses: the message, and a future of the result of sending it. */
function made<T extends Message>(
  headers: Fields,
  contents: Readable | undefined,
  trailers: Readable,
  rest: Omit<T, keyof Message>,
): readonly [T, Readable] {
  let sent: Message['sent'] = () => {}
  const result = new Promise<Result<undefined, HttpError>>((resolve) => (sent = resolve))
  const message = { ...rest, headers: frozen(headers), contents, trailers, sent } as unknown as T
  return [message, createHostFuture(result)]
}

/** Characters in the payload of an error: strings within records. */
function charactersOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 0
  return Object.values(value).reduce<number>((sum, part) => sum + charactersOf(part), 0)
}

/**
 * What a guest says of how a message went. A text in it is as long as the guest likes and held until
 * somebody asks for it: it is charged for the rest of the request.
 */
export function readOutcome(ledger: Ledger, outcome: Readable): Promise<unknown> {
  return readFuture(outcome, (value) => {
    const { tag, val } = value as Result<unknown, HttpError>
    if (tag === 'err') ledger.charge(2 * charactersOf(val))
  })
}

function consume(
  ledger: Ledger,
  message: Message,
  result: Readable,
): readonly [Readable, Readable] {
  releaseFields(ledger, message.headers)
  // How the guest fares with it goes back to who made it.
  void readOutcome(ledger, result).then(
    (value) => message.sent((value ?? OK) as Result<undefined, HttpError>),
    () => {},
  )
  return [message.contents ?? streamOf(createBytesInput(new Uint8Array()))[0], message.trailers]
}

/** A guest that lets go of a message without reading it lets go of its body. */
function discard(message: Message): void {
  message.contents?.drop()
  message.trailers.drop()
}

type Timeout = Exclude<keyof RequestOptions3, 'mutable'>
type Writable = { -readonly [K in Timeout]: RequestOptions3[K] }

function timeout(name: string, key: Timeout): HostInterface['functions'] {
  return {
    [`[method]request-options.get-${name}`]: (options: RequestOptions3) => options[key],
    [`[method]request-options.set-${name}`]: (options: RequestOptions3, value?: bigint): Result =>
      options.mutable ? set(options as Writable, key, value, true) : err({ tag: 'immutable' }),
  }
}

/** All of `wasi:http/types` 0.3; `ledger` pays for fields and texts. */
export function createHttpTypes3(ledger: Ledger): HostInterface {
  const fieldsFunctions = createFieldsFunctions(ledger)
  const setText = <K extends 'method' | 'path' | 'scheme' | 'authority'>(
    request: Request3,
    key: K,
    value: Request3[K],
    valid: boolean,
  ): Result => {
    const result = set(request, key, value, valid)
    chargeRequest(ledger, request)
    return result
  }
  const functions: HostInterface['functions'] = {
    ...fieldsFunctions,
    '[method]fields.get-and-delete': (fields: Fields, name: string): Result => {
      const values = (fieldsFunctions['[method]fields.get'] as (f: Fields, n: string) => unknown)(
        fields,
        name,
      )
      const deleted = (
        fieldsFunctions['[method]fields.delete'] as (f: Fields, n: string) => Result
      )(fields, name)
      return deleted.tag === 'ok' ? ok(values) : deleted
    },
    '[method]fields.copy-all': (fields: Fields) => fields.entries,

    '[static]request.new': (
      headers: Fields,
      contents: Readable | undefined,
      trailers: Readable,
      options: RequestOptions3 | undefined,
    ) =>
      made<Request3>(headers, contents, trailers, {
        method: { tag: 'get' },
        scheme: undefined,
        authority: undefined,
        path: undefined,
        options: options === undefined ? undefined : { ...options, mutable: false },
      }),
    '[method]request.get-method': (request: Request3) => request.method,
    '[method]request.set-method': (request: Request3, method: Variant) =>
      setText(request, 'method', method, isMethod(method)),
    '[method]request.get-path-with-query': (request: Request3) => request.path,
    '[method]request.set-path-with-query': (request: Request3, path?: string) =>
      setText(request, 'path', path, isPath(path)),
    '[method]request.get-scheme': (request: Request3) => request.scheme,
    '[method]request.set-scheme': (request: Request3, scheme?: Variant) =>
      setText(request, 'scheme', scheme, isScheme(scheme)),
    '[method]request.get-authority': (request: Request3) => request.authority,
    '[method]request.set-authority': (request: Request3, authority?: string) =>
      setText(request, 'authority', authority, isAuthority(authority)),
    '[method]request.get-options': (request: Request3) => request.options,
    '[method]request.get-headers': (request: Request3) =>
      copyFields(ledger, request.headers, false),
    '[static]request.consume-body': (request: Request3, result: Readable) => {
      releaseRequest(ledger, request)
      return consume(ledger, request, result)
    },
    '[resource-drop]request': (request: Request3) => {
      releaseRequest(ledger, request)
      discard(request)
    },

    '[constructor]request-options': (): RequestOptions3 => ({ mutable: true }),
    '[method]request-options.clone': (options: RequestOptions3): RequestOptions3 => ({
      ...options,
      mutable: true,
    }),
    ...timeout('connect-timeout', 'connectTimeout'),
    ...timeout('first-byte-timeout', 'firstByteTimeout'),
    ...timeout('between-bytes-timeout', 'betweenBytesTimeout'),

    '[static]response.new': (headers: Fields, contents: Readable | undefined, trailers: Readable) =>
      made<Response3>(headers, contents, trailers, { status: 200 }),
    '[method]response.get-status-code': (response: Response3) => response.status,
    '[method]response.set-status-code': (response: Response3, status: number) =>
      set(response, 'status', status, status >= 100 && status <= 999),
    '[method]response.get-headers': (response: Response3) =>
      copyFields(ledger, response.headers, false),
    '[static]response.consume-body': (response: Response3, result: Readable) =>
      consume(ledger, response, result),
    '[resource-drop]response': (response: Response3) => {
      releaseFields(ledger, response.headers)
      discard(response)
    },
  }
  return { functions }
}
