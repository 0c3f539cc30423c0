import { readBounded } from '../../../bytes/stream.ts'
import { isSpindleError } from '../../../errors.ts'
import { withWire } from '../../../http/wire.ts'
import type { FetchLike } from '../../../types.ts'
import type { Ledger } from '../../budget.ts'
import type { HostInterface } from '../../component/abi/items.ts'
import { binary, fitsMessage, isForbiddenField, latin1 } from '../wasi/fields.ts'
import { isPath } from '../wasi/http-types.ts'
import { err, ok, type Result } from '../wasi/result.ts'
import { FREE } from '../wasi/streams.ts'
import { responseHeaders, SELF_ORIGIN, SENDING_BYTES, targetOf } from '../wasi/http-outgoing.ts'

/** `fermyon:spin/http-types`, as records. Bodies are buffered. */
export interface LegacyRequest {
  readonly method: string
  readonly uri: string
  readonly headers: ReadonlyArray<readonly [string, string]>
  readonly params: ReadonlyArray<readonly [string, string]>
  readonly body?: Uint8Array | undefined
}
export interface LegacyResponse {
  readonly status: number
  readonly headers?: ReadonlyArray<readonly [string, string]> | undefined
  readonly body?: Uint8Array | undefined
}

// Bytes of a body, which is buffered here and in the guest.
const MAX_BODY = 64 * 1024 * 1024

function urlOf(uri: string): URL | undefined {
  try {
    return new URL(uri, SELF_ORIGIN)
  } catch {
    return undefined
  }
}

/** Path and query as they stand in an address, where they are such. */
function targetIn(uri: string): string | undefined {
  const path = uri.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '')
  return isPath(path) ? targetOf({ path }) : undefined
}

/** Sends one request of the interface before wasi:http; what goes wrong is a word of `http-error`. */
export async function sendLegacy(
  send: FetchLike,
  request: LegacyRequest,
  ledger: Ledger = FREE,
  signal?: AbortSignal,
): Promise<Result<LegacyResponse, string>> {
  const url = urlOf(request.uri)
  if (url === undefined) return err('invalid-url')
  if (!fitsMessage(request.headers)) return err('request-error')
  const method = request.method.toUpperCase()
  let held = SENDING_BYTES
  ledger.charge(held)
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      ledger.charge(chunk.length)
      held += chunk.length
      controller.enqueue(chunk)
    },
  })
  try {
    const { body: given } = request
    const sends = given !== undefined && method !== 'GET' && method !== 'HEAD'
    // `Host` is that of the URL, which is the one that was allowed.
    const headers = request.headers
      .filter(([name]) => !isForbiddenField(name) && !/^(?:expect|content-length)$/i.test(name))
      .map(([name, value]) => [name, binary(latin1(value))] as [string, string])
    if (sends) headers.push(['content-length', String(given.length)])
    const made = new Request(url, {
      method,
      headers,
      redirect: 'manual',
      ...(signal !== undefined && { signal }),
      ...(sends && { body: given as Uint8Array<ArrayBuffer> }),
    })
    const response = await send(
      withWire(made, {
        headers,
        target: targetIn(request.uri) ?? url.pathname + url.search,
        ...(given !== undefined &&
          !sends &&
          given.length > 0 && {
            takeBody: () => new Blob([given as Uint8Array<ArrayBuffer>]).stream(),
          }),
      }),
    )
    const body = await readBounded(
      response.body?.pipeThrough(counter) ?? new Uint8Array(),
      MAX_BODY,
      'the response to a component',
      signal,
    )
    return ok({ status: response.status, headers: responseHeaders(response), body }) as Result<
      LegacyResponse,
      string
    >
  } catch (error) {
    return err(
      isSpindleError(error) && error.code === 'ERR_POLICY_REJECTED'
        ? 'destination-not-allowed'
        : 'request-error',
    )
  } finally {
    ledger.release(held)
  }
}

/** `signal` aborts when the response is no longer needed. */
export function createLegacyHttp(
  send: FetchLike,
  ledger: Ledger,
  signal: () => AbortSignal,
): HostInterface {
  return {
    functions: {
      'send-request': (request: LegacyRequest) => sendLegacy(send, request, ledger, signal()),
    },
    waits: new Set(['send-request']),
  }
}
