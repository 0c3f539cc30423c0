import { whenAborted } from '../../bytes/abort.ts'
import { type ChunkReader, watchStream } from '../../bytes/stream.ts'
import { SpindleError } from '../../errors.ts'
import { contentCodings } from '../../http/content-coding.ts'
import type { TimeLimits } from '../../bytes/abort.ts'
import { redactUrl } from '../../http/redact.ts'
import type { OutgoingBody } from './fetch-body.ts'
import { decodeBody } from './fetch-decode.ts'
import type { Proxy } from './proxy.ts'
import { createReceivedBody, type Flow, type ReceivedBody } from './received-body.ts'

/** A request as a connection sends it. */
export interface WireRequest {
  readonly url: URL
  readonly method: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: OutgoingBody | undefined
}

/** What happens to a request that was sent: `onHeaders`, then `onData` and `onEnd`; or `onError` at any time. */
interface ResponseEvents {
  onHeaders(
    status: number,
    statusText: string,
    headers: ReadonlyArray<readonly [string, string]>,
  ): void
  onData(chunk: Uint8Array): void
  onEnd(): void
  /** Ends it, unless it has ended. */
  onError(error: Error): void
}

/** A request in progress. */
export interface Transfer extends Flow {
  abort(reason?: unknown): void
}

/** Sends a request over a connection of one protocol. */
export type SendRequest = (request: WireRequest, events: ResponseEvents) => Transfer

interface ExchangeOptions {
  readonly limits: TimeLimits
  /** When the response's headers must have arrived, by `performance.now()`. */
  readonly due: number | undefined
  /** The proxy that forwards the request and responds to it. */
  readonly forwarder: Proxy | undefined
  /** The error for a response of the proxy's own. */
  readonly refuse: (status: number) => Error | undefined
}

const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304])

/**
 * Sends a request and resolves with its response once the headers are there. Content codings are
 * removed from the body as it is read. Rejects as `fetch` does.
 */
export function exchange(
  send: SendRequest,
  request: WireRequest,
  { limits, due, forwarder, refuse }: ExchangeOptions,
): Promise<Response> {
  const { method, url, body } = request
  const { signal, deadline } = limits
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    let received: ReceivedBody | undefined
    const abandon = (reason: unknown): void => {
      reject(reason)
      transfer.abort(reason)
    }
    const failed = (cause: Error): TypeError => new TypeError('fetch failed', { cause })
    const timer =
      deadline && due && setTimeout(() => abandon(deadline.error()), due - performance.now())
    // By `limits`, which this holds: a `Request` that is not referenced stops following its signal.
    const stopWaiting = whenAborted(signal, () => abandon(limits.signal?.reason))
    const settle = (): void => {
      clearTimeout(timer)
      stopWaiting()
      if (body !== undefined && 'rest' in body) void body.rest.cancel().catch(() => {})
    }
    const transfer = send(request, {
      onHeaders(status, statusText, headers) {
        clearTimeout(timer)
        const refusal = refuse(status)
        if (refusal !== undefined) return abandon(refusal)
        // `Response` refuses it, too late to report an error of the request.
        if (status < 200 || status > 599)
          return abandon(failed(new RangeError(`${status} is not an HTTP status`)))
        let size = Infinity
        let isCoded = false
        for (const [name, value] of headers) {
          const lower = name.toLowerCase()
          if (lower === 'content-length') size = Number(value)
          if (lower === 'content-encoding') isCoded = true
        }
        let reader: ChunkReader | null = null
        if (method !== 'HEAD' && !WITHOUT_BODY.has(status) && size !== 0) {
          received = createReceivedBody(size, transfer)
          reader = received.reader
          if (isCoded) {
            const codings = contentCodings({ headers: new Headers(headers as [string, string][]) })
            if (codings.length > 0)
              reader = decodeBody(reader, codings, `${method} ${redactUrl(url)}`)
          }
        }
        resolve(
          new Response(reader && watchStream(reader, {}), {
            status,
            // `Response` refuses a phrase with other characters.
            statusText: /^[\t\x20-\x7e]*$/.test(statusText) ? statusText : '',
            headers: headers as [string, string][],
          }),
        )
      },
      onData: (chunk) => received?.push(chunk),
      onEnd() {
        settle()
        received?.end()
      },
      onError(error) {
        settle()
        if (signal?.aborted === true) {
          received?.end({ error: signal.reason, discards: true })
          return reject(signal.reason)
        }
        received?.end({ error: new TypeError('terminated', { cause: error }), discards: false })
        if (error instanceof SpindleError) return reject(error)
        reject(
          failed(
            forwarder === undefined
              ? error
              : new Error(`by the proxy ${forwarder.shown}`, { cause: error }),
          ),
        )
      },
    })
  })
}

/** Sends a request once it is known over which connection. */
export function sendWhenConnected(
  connect: (signal: AbortSignal) => Promise<SendRequest>,
): SendRequest {
  return (request, events) => {
    const connecting = new AbortController()
    let transfer: Transfer | undefined
    connect(connecting.signal).then((send) => {
      if (!connecting.signal.aborted) transfer = send(request, events)
    }, events.onError)
    return {
      abort(reason) {
        if (transfer !== undefined) return transfer.abort(reason)
        connecting.abort(reason)
        events.onError(reason as Error)
      },
      pause: () => transfer?.pause(),
      resume: () => transfer?.resume(),
    }
  }
}
