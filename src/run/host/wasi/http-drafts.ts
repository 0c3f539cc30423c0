import type { HostInterface } from '../../component/abi/items.ts'
import type { Ledger } from '../../budget.ts'
import { copyFields, type Fields } from './fields.ts'
import type { HttpError } from './http-errors.ts'
import {
  chargeRequest,
  type FutureResponse,
  type IncomingRequest,
  type OutgoingRequest,
  type OutgoingResponse,
  type RequestOptions,
  type ResponseOutparam,
  type Variant,
} from './http-types.ts'
import { err, ok, type Result } from './result.ts'

type Functions = HostInterface['functions']

/** Where the draft of 10 November 2023 differs from 0.2.0. */
export function draft20231110({ functions }: HostInterface): HostInterface {
  return { functions: { ...functions, '[method]future-trailers.get': () => ok(undefined) } }
}

/** Maps the draft's `error` to the `error-code` of 0.2.0, and back. */
function toError(code: HttpError | undefined): HttpError {
  const text =
    code?.val === undefined ? (code?.tag ?? 'unknown') : `${code.tag}: ${String(code.val)}`
  if (code?.tag === 'HTTP-request-URI-invalid') return { tag: 'invalid-url', val: text }
  return {
    tag: code?.tag.includes('timeout') === true ? 'timeout-error' : 'unexpected-error',
    val: text,
  }
}

function translated<T>(result: Result<T, HttpError>): Result<T, HttpError> {
  return result.tag === 'ok' ? result : (err(toError(result.val)) as Result<T, HttpError>)
}

/** Where the draft of 18 October 2023 differs from 0.2.0: no setters, bodies by `write`, another error. */
export function draft20231018({ functions }: HostInterface, ledger: Ledger): HostInterface {
  const call = (name: string, ...args: unknown[]): unknown =>
    (functions[name] as (...args: unknown[]) => unknown)(...args)
  const draft: Functions = {
    ...functions,
    '[constructor]outgoing-request': (
      method: Variant,
      path: string | undefined,
      scheme: Variant | undefined,
      authority: string | undefined,
      headers: Fields,
    ): OutgoingRequest => {
      // The draft borrows the headers: the guest keeps ownership.
      const request: OutgoingRequest = {
        headers: copyFields(ledger, headers, false),
        method,
        path,
        scheme,
        authority,
        body: undefined,
      }
      chargeRequest(ledger, request)
      return request
    },
    '[method]outgoing-request.write': (request: OutgoingRequest) =>
      call('[method]outgoing-request.body', request),
    '[constructor]outgoing-response': (status: number, headers: Fields): OutgoingResponse => ({
      headers: copyFields(ledger, headers, false),
      status,
      body: undefined,
    }),
    '[method]outgoing-response.write': (response: OutgoingResponse) =>
      call('[method]outgoing-response.body', response),
    // Borrowed there, so the guest goes on owning and changing them.
    '[method]incoming-request.headers': (request: IncomingRequest): Fields =>
      copyFields(ledger, request.headers, request.headers.mutable),
    '[static]response-outparam.set': (
      outparam: ResponseOutparam,
      response: Result<OutgoingResponse, HttpError>,
    ) =>
      outparam.set(
        response.tag === 'ok'
          ? response
          : err({ tag: 'internal-error', val: String(response.val?.val) }),
      ),
    '[method]future-trailers.get': () => ok({ entries: [], mutable: false } satisfies Fields),
    '[method]future-incoming-response.get': (future: FutureResponse) => {
      const got = call('[method]future-incoming-response.get', future) as
        Result<Result<unknown, HttpError>> | undefined
      return got?.tag === 'ok' ? ok(translated(got.val as Result<unknown, HttpError>)) : got
    },
  }
  return { functions: draft }
}

export function outgoing20231018({ functions, waits }: HostInterface): HostInterface {
  const handle = functions['handle'] as (
    request: OutgoingRequest,
    options?: RequestOptions,
  ) => Result<unknown, HttpError>
  return {
    functions: { handle: (request: OutgoingRequest) => translated(handle(request)) },
    ...(waits !== undefined && { waits }),
  }
}
