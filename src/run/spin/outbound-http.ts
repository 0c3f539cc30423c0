import { readBounded } from '../../bytes/stream.ts'
import { isSpindleError } from '../../errors.ts'
import type { FetchLike } from '../../types.ts'
import type { Ledger } from '../budget.ts'
import type { HostInterface } from '../component/items.ts'
import { fitsMessage, isForbiddenField } from '../wasi/fields.ts'
import { err, ok, type Result } from '../wasi/result.ts'
import { FREE } from '../wasi/streams.ts'
import { SELF_ORIGIN, SENDING_BYTES } from '../wasi/http-outgoing.ts'

/** `fermyon:spin/http-types`, as records. Bodies are whole. */
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

// It is held in full, here and in the guest.
const MOST_BODY = 64 * 1024 * 1024

function urlOf(uri: string): URL | undefined {
  try {
    return new URL(uri, SELF_ORIGIN)
  } catch {
    return undefined
  }
}

/** Sends one request of the interface before wasi:http; what goes wrong is a word of `http-error`. */
export async function sendLegacy(
  send: FetchLike,
  request: LegacyRequest,
  ledger: Ledger = FREE,
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
    const sends = request.body !== undefined && method !== 'GET' && method !== 'HEAD'
    const response = await send(
      new Request(url, {
        method,
        // `Host` is that of the URL, which is the one that was allowed.
        headers: request.headers
          .filter(([name]) => !isForbiddenField(name))
          .map(([name, value]) => [name, value] as [string, string]),
        redirect: 'manual',
        ...(sends && { body: request.body as Uint8Array<ArrayBuffer> }),
      }),
    )
    const body = await readBounded(
      response.body?.pipeThrough(counter) ?? new Uint8Array(),
      MOST_BODY,
      'the response to a component',
    )
    return ok({ status: response.status, headers: [...response.headers], body }) as Result<
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

export function createLegacyHttp(send: FetchLike, ledger: Ledger): HostInterface {
  return {
    functions: { 'send-request': (request: LegacyRequest) => sendLegacy(send, request, ledger) },
    waits: new Set(['send-request']),
  }
}
