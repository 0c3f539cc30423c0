import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { whenAborted } from '../../bytes/abort.ts'
import { type ChunkReader, watchStream } from '../../bytes/stream.ts'
import {
  exactHeaders,
  type HeaderPairs,
  pairsOf,
  takeRequestBody,
  wireOf,
  withWire,
} from '../../http/wire.ts'
import type { FetchLike } from '../../types.ts'
import { codeOf } from '../files/system-error.ts'
import { createBlockedNetworks } from './blocked-networks.ts'
import { createPlaces } from './connection-places.ts'
import {
  lengthError,
  type Exchange,
  type StreamedBody,
  withFirst,
  writeBody,
} from './fetch-body.ts'
import { createRoutes } from './fetch-routes.ts'
import type { ProxySettings } from './proxy.ts'
import { createReceivedBody } from './received-body.ts'

/** Bytes of an answer's headers. As the least that Wasmtime takes. */
const MAX_HEADER_BYTES: number = 64 * 1024

/** Milliseconds for a connection, and between two pieces of an answer. As in Wasmtime. */
const MAX_WAIT = 600_000

/** Without a body unless there is one: these rarely have any. */
const WITHOUT_BODY: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'])
/** May be sent again where nobody knows whether they have arrived. RFC 9110, 9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set([...WITHOUT_BODY, 'PUT'])

const NO_BODY_STATUS: ReadonlySet<number> = new Set([204, 205, 304])

export interface OutboundFetchOptions {
  /** Certificates in PEM of authorities that are trusted beside Node's own. */
  readonly ca?: string | readonly string[]
  /** Most bytes of an answer's headers. Default 64 KiB. */
  readonly maxHeaderSize?: number
  /** Proxies to go through, as `readProxyEnvironment()` gives them. Default: none. */
  readonly proxy?: ProxySettings
  /**
   * Networks whose addresses nothing is sent to, whatever name leads there: ranges such as
   * `10.0.0.0/8`, and `private` for all that is not of the public internet. Not together with
   * `proxy`, which looks up names itself. Default: none.
   */
  readonly blockNetworks?: readonly string[]
  /** Most requests at once, each on a connection of its own; others wait. Zero refuses all. Default: no limit. */
  readonly maxConnections?: number
  /** Whether connections are kept for later requests. Default: unless `maxConnections` is given. */
  readonly connectionPooling?: boolean
}

/**
 * A `fetch` for what the components of an application send: on Node's own HTTP client, as they have
 * it. The global one adds headers of its own, decodes answers, joins repeated headers and changes
 * paths.
 *
 * Exported from `spindle/node`; `spindle up` uses it. Connections are kept and used again; a request
 * that meets one which its server has just closed is sent once more, where its method allows that.
 *
 * @example
 * ```ts
 * const handler = await createAppHandler(app, { fetch: createOutboundFetch() })
 * ```
 *
 * Redirects are answers as any other. Rejects as `fetch` does: with the signal's reason, or a
 * `TypeError` whose cause has the code, as `ECONNREFUSED`.
 */
export function createOutboundFetch(options: OutboundFetchOptions = {}): FetchLike {
  const { ca, maxHeaderSize = MAX_HEADER_BYTES, proxy = {}, maxConnections } = options
  const { blockNetworks = [], connectionPooling = maxConnections === undefined } = options
  if (blockNetworks.length > 0 && Object.values(proxy).some((value) => value !== undefined))
    throw new TypeError('"blockNetworks" can’t hold for what a proxy looks up: leave out "proxy"')
  const blocked = blockNetworks.length > 0 ? createBlockedNetworks(blockNetworks) : undefined
  const places = maxConnections === undefined ? undefined : createPlaces(maxConnections)
  const routeTo = createRoutes({ ca, maxHeaderSize, proxy, keepAlive: connectionPooling })

  const send = async (
    request: Request,
    url: URL,
    body: StreamedBody | undefined,
  ): Promise<Response> => {
    const { connect = MAX_WAIT } = wireOf(request)?.timeouts ?? {}
    const began = performance.now()
    const release = await places?.take(request.signal, connect)
    try {
      const left = Math.max(1, connect - (performance.now() - began))
      return await sendNow(request, url, body, left, release)
    } catch (error) {
      // Once more where the request had begun: that changes nothing.
      release?.()
      throw error
    }
  }

  const sendNow = (
    request: Request,
    url: URL,
    body: StreamedBody | undefined,
    connect: number,
    ended: () => void = () => {},
  ): Promise<Response> =>
    new Promise((resolve, reject) => {
      const { method, signal } = request
      const wire = wireOf(request)
      signal.throwIfAborted()
      const { send: sendBy, forwarder, isTunnel = false, ...route } = routeTo(url)
      if (blocked !== undefined) blocked.check(url.hostname.replace(/^\[|\]$/g, ''))
      const opening = new AbortController()
      const { idle = MAX_WAIT } = wire?.timeouts ?? {}
      const target = wire?.target ?? url.pathname + url.search
      const sent = sendBy({
        ...route.options,
        ...(blocked !== undefined && { lookup: blocked.lookup }),
        ...(isTunnel && { tunnelSignal: opening.signal, tunnelTimeout: connect }),
        path: forwarder === undefined ? target : url.origin + target,
        method,
        headers: headLines(request, url, body, route.headers),
        insecureHTTPParser: false,
        maxHeaderSize,
        // Given always: without one the agent's would count, which is for connections that wait.
        timeout: idle,
      })
      const state: Exchange = { isOurTurn: false }
      const fail = (code: string, message: string): void => {
        state.failure = Object.assign(new Error(message), { code })
        sent.destroy(state.failure)
        reject(new TypeError('fetch failed', { cause: state.failure }))
      }
      const stopWaiting = whenAborted(signal, () => {
        reject(signal.reason)
        sent.destroy(signal.reason as Error)
        opening.abort()
      })
      const connecting = setTimeout(() => {
        fail('ETIMEDOUT', `no connection within ${connect} ms`)
        opening.abort()
      }, connect)
      const connected = (): void => clearTimeout(connecting)
      sent.on('socket', (socket: Socket) => {
        if (socket.connecting)
          socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', connected)
        else connected()
      })
      sent.on('close', () => {
        connected()
        stopWaiting()
        ended()
      })
      sent.on('error', (error) => {
        if (signal.aborted) return reject(signal.reason)
        const isStale = sent.reusedSocket && /^(?:ECONNRESET|EPIPE)$/.test(String(codeOf(error)))
        reject(
          new TypeError('fetch failed', { cause: isStale ? new StaleConnection(error) : error }),
        )
      })
      sent.on('timeout', () => {
        // Somebody here takes the time, not the server.
        if (state.isOurTurn) return void sent.socket?.setTimeout(idle)
        fail('ERR_READ_TIMEOUT', `nothing came within ${idle} ms`)
      })
      sent.on('response', (message) => {
        if (forwarder !== undefined && message.statusCode === 407)
          return fail('EPROXY', `the proxy ${forwarder.shown} wants another login`)
        // Refused before all of it was sent: the rest is not wanted.
        message.on('end', () => void (sent.writableEnded || sent.destroy()))
        try {
          resolve(responseOf(message, method, signal, state))
        } catch (cause) {
          sent.destroy()
          reject(new TypeError('fetch failed', { cause }))
        }
      })
      if (body === undefined) sent.end()
      else
        void writeBody(sent, body, state).catch((error: Error) => {
          state.failure = error
          sent.destroy(error)
        })
    })

  return async (request) => {
    const url = new URL(request.url)
    if (url.protocol !== 'https:' && url.protocol !== 'http:')
      throw new TypeError('fetch failed', { cause: new Error(`unknown scheme ${url.protocol}`) })
    const body = await openBody(request)
    try {
      return await send(request, url, body)
    } catch (error) {
      const isStale = (error as Error).cause instanceof StaleConnection
      if (!isStale || body !== undefined || !IDEMPOTENT.has(request.method)) throw error
      return await send(request, url, body)
    }
  }
}

/** A connection that was kept, and closed by its server before a request came. */
class StaleConnection extends Error {
  constructor(cause: Error) {
    super('the connection had been closed', { cause })
  }
}

/** Rejects for a length that is none. `undefined` for no body: one that is empty is none for a GET. */
async function openBody(request: Request): Promise<StreamedBody | undefined> {
  const lengths = exactHeaders(request).filter(([name]) => name === 'content-length')
  const said = lengths[0]?.[1]
  if (lengths.some(([, value]) => value !== said || !/^\d+$/.test(value)))
    throw mismatch(`"${lengths.map(([, value]) => value).join(', ')}" is no length of a body`)
  const size = said === undefined ? undefined : Number(said)
  const trailers = wireOf(request)?.trailers
  const rest = takeRequestBody(request)?.getReader()
  if (rest === undefined) {
    if (size !== undefined && size > 0)
      throw mismatch(`a body of ${size} bytes was announced, and none is sent`)
    return undefined
  }
  if (size !== undefined || !WITHOUT_BODY.has(request.method)) return { rest, size, trailers }
  // What its sender has written by now is there in this turn.
  const read = rest.read()
  const thisTurn = new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)))
  const early = await Promise.race([read, thisTurn])
  if (early?.done === true) return undefined
  return { rest: withFirst(read, rest), size, trailers }
}

/** All headers of a request, in their order: the host's and the connection's are ours. */
function headLines(
  request: Request,
  url: URL,
  body: StreamedBody | undefined,
  more: Readonly<Record<string, string>>,
): string[] {
  const own = exactHeaders(request).filter(
    ([name]) => !(name === 'host' || name === 'content-length'),
  )
  const others = Object.entries(more).filter(([name]) => name !== 'host')
  const pairs: HeaderPairs = [['host', url.host], ...own, ...others]
  const lines = pairs.flat()
  if (body === undefined) {
    if (!WITHOUT_BODY.has(request.method)) lines.push('content-length', '0')
  } else if (body.size === undefined) lines.push('transfer-encoding', 'chunked')
  else lines.push('content-length', String(body.size))
  return lines
}

function mismatch(message: string): TypeError {
  return new TypeError('fetch failed', { cause: lengthError(message) })
}

function readerOf(
  message: IncomingMessage,
  size: number,
  signal: AbortSignal,
  exchange: Exchange,
): ChunkReader {
  const body = createReceivedBody(size, {
    pause() {
      exchange.isOurTurn = true
      message.pause()
    },
    resume() {
      exchange.isOurTurn = false
      message.resume()
    },
    abort: () => void message.destroy(),
  })
  const fail = (error: Error): void => {
    if (signal.aborted) return body.end({ error: signal.reason, discards: true })
    const cause = exchange.failure ?? error
    body.end({ error: new TypeError('terminated', { cause }), discards: false })
  }
  message.on('data', body.push)
  message.on('end', () => body.end())
  message.on('error', fail)
  message.on('close', () => {
    // Creating an error is expensive, and most responses have ended by now.
    if (!message.readableEnded) fail(new Error('the connection was closed'))
  })
  return body.reader
}

/** Throws for a status that no answer has. */
function responseOf(
  message: IncomingMessage,
  method: string,
  signal: AbortSignal,
  state: Exchange,
): Response {
  const { statusCode: status = 0, rawHeaders } = message
  if (status < 200 || status > 599)
    throw Object.assign(new Error(`${status} is no status of an answer`), {
      code: 'HPE_INVALID_STATUS',
    })
  const headers = lowerCase(rawHeaders)
  const length = headers.find(([name]) => name === 'content-length')?.[1]
  const isEmpty = method === 'HEAD' || NO_BODY_STATUS.has(status)
  // Read to its end all the same: only that frees the connection.
  if (isEmpty) message.resume()
  const size = length === undefined ? Infinity : Number(length)
  const body = isEmpty ? null : watchStream(readerOf(message, size, signal, state), {})
  return withWire(new Response(body, { status, headers: headers as [string, string][] }), {
    headers,
    trailers: () => {
      const trailers = lowerCase(message.rawTrailers)
      return trailers.length === 0 ? undefined : trailers
    },
  })
}

function lowerCase(flat: readonly string[]): Array<readonly [string, string]> {
  return pairsOf(flat).map(([name, value]) => [name.toLowerCase(), value] as const)
}
