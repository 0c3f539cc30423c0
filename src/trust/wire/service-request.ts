/** Requests to Fulcio, Rekor, timestamp authorities and identity providers. */
import { inTime } from '../../bytes/abort.ts'
import { isJsonObject, parseJson } from '../../bytes/json.ts'
import { readBounded } from '../../bytes/stream.ts'
import { redactText, redactUrl } from '../../http/redact.ts'
import { createRetry, isTransientStatus, withRetries } from '../../http/retry.ts'
import { parseRetryAfter } from '../../http/retry-after.ts'
import { createSecrets } from '../../http/secrets.ts'
import { ResponseError, SpindleError } from '../../errors.ts'
import type { FetchLike } from '../../types.ts'

/** Options of every function that calls a service of sigstore. */
export interface ServiceOptions {
  /** Sends the requests. Default: the global `fetch`. */
  fetch?: FetchLike
  /** Aborts the requests; the call then rejects with `signal.reason`. */
  signal?: AbortSignal | undefined
}

interface ServiceRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly contentType?: string
  readonly body?: Uint8Array | string
  readonly headers?: Readonly<Record<string, string>>
  /** Statuses that the caller handles besides 2xx. */
  readonly expect?: readonly number[]
}

interface ServiceAnswer {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Uint8Array
  /** Removes the secrets of the request from text of the response, for error messages. */
  readonly redact: (text: string) => string
}

/** Longest response: a log returns the entry including its statement. */
const MAX_ANSWER_BYTES: number = 4 * 1024 * 1024
/** Deadline of one attempt: Rekor v2 answers after the next checkpoint, which can take 20 s. */
const TIMEOUT_MS = 60_000
/** Longest `Retry-After` that is waited for. */
const MAX_WAIT_MS = 30_000

/**
 * Sends a request, and retries it after 429 and 5xx.
 * @throws `ResponseError` for an unexpected status, `ERR_NETWORK`, `ERR_TIMEOUT`; the signal's reason when
 * it aborts.
 */
export async function callService(
  request: ServiceRequest,
  { fetch = (it) => globalThis.fetch(it), signal }: ServiceOptions,
): Promise<ServiceAnswer> {
  const where = redactUrl(request.url)
  const deadline = {
    milliseconds: TIMEOUT_MS,
    error: () =>
      new SpindleError(
        'ERR_TIMEOUT',
        `${where} did not answer within ${TIMEOUT_MS / 1000} s: try again`,
      ),
  }
  const { headers = {}, body, contentType } = request
  const secrets = createSecrets()
  secrets.addRequest(new Headers(headers), body, contentType)
  const redact = (text: string): string => redactText(secrets.redact(text))
  const again = createRetry({ maxDelay: MAX_WAIT_MS })
  // A request without an answer is not repeated: the service may have acted on it.
  return withRetries({ again }, { signal, only: isTransientAnswer }, async () => {
    signal?.throwIfAborted()
    let answer: ServiceAnswer
    try {
      answer = await inTime({ signal, deadline }, async (both) => {
        const { status, headers, body } = await fetch(toRequest(request, both))
        const what = `the answer of ${where}`
        const bytes = await readBounded(body ?? new Uint8Array(), MAX_ANSWER_BYTES, what, both)
        return { status, headers, bytes, redact }
      })
    } catch (cause) {
      signal?.throwIfAborted()
      if (cause instanceof SpindleError) throw cause
      throw new SpindleError(
        'ERR_NETWORK',
        `${where} cannot be reached: check the address and the network; in a browser, also that it allows this origin (CORS)`,
        { cause },
      )
    }
    const { status } = answer
    if ((status >= 200 && status < 300) || request.expect?.includes(status) === true) return answer
    throw refused(request, where, answer)
  })
}

function isTransientAnswer(error: unknown): boolean {
  return error instanceof ResponseError && isTransientStatus(error.status)
}

function toRequest(
  { method, url, contentType, body, headers }: ServiceRequest,
  signal: AbortSignal,
): Request {
  return new Request(url, {
    method,
    headers: {
      ...headers,
      accept:
        contentType === 'application/timestamp-query'
          ? 'application/timestamp-reply'
          : 'application/json',
      ...(contentType && { 'content-type': contentType }),
    },
    ...(body !== undefined && { body: body as Uint8Array<ArrayBuffer> | string }),
    // Do not follow redirects: they would forward the token to another host.
    redirect: 'manual',
    signal,
  })
}

function refused(
  request: ServiceRequest,
  where: string,
  { status, headers, bytes, redact }: ServiceAnswer,
): ResponseError {
  let message: unknown
  try {
    const json = parseJson(bytes.subarray(0, 64 * 1024), 'the error')
    message = isJsonObject(json)
      ? (json['message'] ?? json['error_description'] ?? json['error'])
      : undefined
  } catch {
    message = undefined
  }
  const detail = typeof message === 'string' ? `: ${redact(message)}` : ''
  const code = status === 401 || status === 403 ? 'ERR_UNAUTHORIZED' : 'ERR_RESPONSE'
  // Browsers hide redirects: the response is opaque and has the status 0.
  const what =
    status === 0 || (status >= 300 && status < 400)
      ? 'redirects to another address, which is not followed because the request can contain a token: use that address instead'
      : `answered ${status}${detail}`
  const retryAfter = parseRetryAfter(headers.get('retry-after'))
  return new ResponseError(code, `${request.method} ${where} ${what}`, {
    status,
    method: request.method,
    url: where,
    ...(retryAfter !== undefined && { retryAfter }),
  })
}
