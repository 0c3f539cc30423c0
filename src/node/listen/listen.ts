import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { withWire } from '../../http/wire.ts'
import { createHostCheck, type HostNameOptions, refusedHost } from '../../serve/http/host-names.ts'
import type { FetchHandler } from '../../types.ts'
import {
  type Connections,
  createConnections,
  defaultMaxConnections,
  refusalHeaders,
  rejectOn,
} from './connections.ts'
import {
  createHttp2Connections,
  type Http2Connections,
  readPreface,
  streamOf,
} from './http2-server.ts'
import { MAX_HEADERS, type Refusal, refusalOf, UNSUPPORTED_METHOD } from './request-check.ts'
import { wireOfRequest } from './received-request.ts'
import { readOnWhenRefused } from './refused-body.ts'
import { sendResponse } from './send-response.ts'

/** Milliseconds that answers in progress are given to end before their connections are cut. */
const CLOSE_GRACE = 5000

/** Milliseconds without a byte after which a connection is cut. */
const IDLE_TIMEOUT = 5 * 60 * 1000

/** Milliseconds for a request's head, and for a TLS handshake. As in Apache. */
const HEADERS_TIMEOUT = 20_000

/** Bytes of a request's line and headers. As in Node. */
const MAX_HEADER_SIZE = 16 * 1024

/** Bytes per second of a request's body. As in Kestrel: a modem sends twenty times as many. */
const MIN_BODY_RATE = 240

/** Milliseconds over which the rate is measured: a mobile client may lose its network for a while. */
const BODY_RATE_WINDOW = 30_000

/** Milliseconds until a client reads on. As in nginx. */
const SEND_TIMEOUT = 60_000

/**
 * Bytes of answers that wait for their clients, which a handler may have given whole: 16 of the largest
 * that the servers here give. Those who read have next to none.
 */
const MAX_UNSENT_BYTES = 256 * 1024 * 1024

/** `allowedHosts` defaults to those of loopback where it listens on loopback, else to any. */
export interface ListenOptions extends HostNameOptions {
  /** Address to listen on. Default `127.0.0.1`, which other machines cannot reach. */
  host?: string
  /** Default 0: any free port. */
  port?: number
  /** Speaks HTTPS, as whom this certificate says. Both are texts in PEM. Default: plain HTTP. */
  tls?: { readonly cert: string; readonly key: string }
  /** Milliseconds for a request's head, and for a TLS handshake. Default 20 000; 0 for any time. */
  headersTimeout?: number
  /** Bytes of a request's line and headers. Default 16 384. More are answered with 431. */
  maxHeaderSize?: number
  /** Bytes per second of a request's body. Default 240; 0 for any. Slower ones are answered with 408. */
  minBodyRate?: number
  /** Milliseconds over which the rate is measured. Default 30 000. */
  bodyRateWindow?: number
  /** Milliseconds until a client reads on. Default 60 000; 0 for five minutes. */
  sendTimeout?: number
  /**
   * Bytes of answers that are ready and that clients have not taken, of all connections together. Above
   * it the connections with most of them are ended. Default 256 MiB.
   */
  maxUnsentBytes?: number
  /**
   * Connections at once. For one more, the longest idle is dropped, else the client that keeps the
   * server waiting most; where there is none, it is answered with 503. Default 1000, or half of the
   * files that the process may open.
   */
  maxConnections?: number
  /**
   * Answers HTTP/2 too: to clients that begin with it, and with `tls` to those that choose it. Then a
   * connection on which no request comes in `headersTimeout` is ended. Default: HTTP/1 only.
   */
  http2?: boolean
}

export interface Listener {
  /** For example `http://127.0.0.1:43567`, or `https:` with `tls`, without a trailing slash. */
  readonly url: string
  /** Takes no more requests, waits five seconds for those under way, then cuts them off. */
  close(): Promise<void>
}

/**
 * Puts a `fetch` handler behind a port.
 *
 * Exported from `spindle/node`. Bodies stream both ways; `request.signal` aborts when the client
 * leaves. On a loopback address only its own host names are answered, so that no page can reach the
 * handler through a name of its own that leads there: see `allowedHosts`. Clients that are slow on
 * purpose are cut off, so that others are answered: see the limits.
 *
 * @example A registry on this machine
 * ```ts
 * const registry = createRegistryHandler({ storage: createFileStorage('./registry') })
 * const { url, close } = await listen(registry, { port: 5000 })
 * ```
 * @returns Once connections are accepted.
 * @throws The error of `node:http` when the address can't be had, or of `node:tls` for a certificate
 * that is none or has another key. A `TypeError` for a host name that is none, and for a limit that is
 * no number or too small.
 */
export async function listen(
  handler: FetchHandler,
  options: ListenOptions = {},
): Promise<Listener> {
  const {
    host = '127.0.0.1',
    port = 0,
    tls,
    allowedHosts,
    headersTimeout = HEADERS_TIMEOUT,
    maxHeaderSize = MAX_HEADER_SIZE,
    minBodyRate = MIN_BODY_RATE,
    bodyRateWindow = BODY_RATE_WINDOW,
    sendTimeout = SEND_TIMEOUT,
    maxUnsentBytes = MAX_UNSENT_BYTES,
    maxConnections = await defaultMaxConnections(),
    http2 = false,
  } = options
  assertLimits({ maxHeaderSize, bodyRateWindow, maxConnections, maxUnsentBytes }, 1)
  assertLimits({ headersTimeout, minBodyRate, sendTimeout }, 0)
  let isAnswered = createHostCheck(allowedHosts ?? [])
  const { NodeRequest } = await import('srvx/node')
  const answer = async (request: Request): Promise<Response> => {
    if (!URL.canParse(request.url)) return textAnswer(400, 'the Host header is no host name')
    const url = new URL(request.url)
    return isAnswered(url) ? handler.fetch(request) : textAnswer(421, refusedHost(url))
  }
  const connections = createConnections({
    maxConnections,
    minBodyRate,
    bodyRateWindow,
    sendTimeout,
    maxUnsentBytes,
    idleTimeout: IDLE_TIMEOUT,
  })
  let closing: Promise<void> | undefined
  const onRequest: RequestListener = (request, response) => {
    // A client keeps its connection for a next request, which none may make any more.
    response.once('close', () => {
      if (closing !== undefined) setImmediate(() => server.closeIdleConnections())
    })
    if (!connections.begin(request, response)) return
    const isHttp2 = streamOf(request) !== undefined
    // A guest's answer that is longer than it says would pass for the next one.
    if (!isHttp2) response.strictContentLength = true
    const refusal =
      isHttp2 && sizeOfHeaders(request) > maxHeaderSize
        ? headerOverflow(maxHeaderSize)
        : refusalOf(request)
    if (refusal !== undefined) {
      const { status, message, headers = {} } = refusal
      const { Connection, ...always } = refusalHeaders(message)
      response
        .writeHead(status, { ...headers, ...always, ...(!isHttp2 && { Connection }) })
        .end(`${message}\n`)
      return
    }
    const respond = (): void => {
      if (!isHttp2) readOnWhenRefused(request, response)
      // Not awaited by Node: a client that leaves in the middle must not end the process.
      answer(withWire(new NodeRequest({ req: request, res: response }), wireOfRequest(request)))
        .then((answered) => sendResponse(response, answered))
        .catch(() => (response.headersSent ? response.destroy() : response.writeHead(500).end()))
    }
    // An answer that is not its connection's turn yet would be held in memory, however long it is.
    if (!isHttp2 && response.socket === null) response.once('socket', respond)
    else respond()
  }
  const limits = {
    // A layer of gigabytes over a slow line takes longer than the five minutes that Node gives a whole
    // request; what stalls is ended by its rate instead.
    requestTimeout: 0,
    headersTimeout,
    // How often Node looks whether it is over: else each 30 seconds.
    connectionsCheckingInterval: Math.min(1000, Math.max(1, headersTimeout / 4)),
    maxHeaderSize,
  }
  const server =
    tls === undefined
      ? createServer(limits, onRequest)
      : createSecureServer(
          {
            ...limits,
            handshakeTimeout: headersTimeout || IDLE_TIMEOUT,
            ...(http2 && { ALPNProtocols: ['h2', 'http/1.1'] }),
            ...tls,
          },
          onRequest,
        )
  server.setTimeout(IDLE_TIMEOUT)
  server.maxHeadersCount = MAX_HEADERS
  const sessions = http2
    ? createHttp2Connections(onRequest, { maxHeaderSize, idleTimeout: headersTimeout })
    : undefined
  if (sessions !== undefined)
    chooseProtocol(server, sessions, headersTimeout, (socket) => {
      const refusal = refusalFor(
        { code: 'ERR_HTTP_REQUEST_TIMEOUT' },
        maxHeaderSize,
        headersTimeout,
      )
      rejectOn(socket, refusal as Refusal)
    })
  server.prependListener('connection', (socket: Socket) =>
    connections.open(socket, (refusal) => {
      // Before its handshake, nothing can be said on a TLS connection.
      if (tls === undefined) rejectOn(socket, refusal)
      else socket.destroy()
    }),
  )
  server.on('connect', (_, socket: Socket) => rejectOn(socket, UNSUPPORTED_METHOD))
  server.on(
    'clientError',
    (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket: Socket) => {
      const refusal = refusalFor(error, maxHeaderSize, headersTimeout)
      if (refusal === undefined || connections.isAnswering(socket)) socket.destroy()
      else rejectOn(socket, refusal)
    },
  )
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  }).catch((error: unknown) => {
    connections.close()
    throw error
  })
  const address = server.address() as AddressInfo
  if (allowedHosts === undefined && !isLoopbackAddress(address)) isAnswered = () => true
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${name}:${address.port}`,
    close: () => {
      sessions?.close()
      return (closing ??= close(server, connections))
    },
  }
}

function textAnswer(status: number, text: string): Response {
  return new Response(`${text}\n`, {
    status,
    headers: {
      'Content-Type': 'text/plain; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-store',
    },
  })
}

function isLoopbackAddress({ address }: AddressInfo): boolean {
  return address === '::1' || /^(?:::ffff:)?127\./.test(address)
}

function assertLimits(limits: Readonly<Record<string, number>>, least: number): void {
  for (const [name, value] of Object.entries(limits)) {
    if (!(value >= least)) throw new TypeError(`"${name}" must be at least ${least}, not ${value}`)
  }
}

/** Hands connections of HTTP/2 on, before the server takes them for HTTP/1. */
function chooseProtocol(
  server: ReturnType<typeof createServer>,
  sessions: Http2Connections,
  timeout: number,
  late: (socket: Socket) => void,
): void {
  const isTls = server.listenerCount('secureConnection') > 0
  const event = isTls ? 'secureConnection' : 'connection'
  const others = server.listeners(event) as Array<(this: unknown, socket: Socket) => void>
  server.removeAllListeners(event)
  server.on(event, (socket: Socket) => {
    const isOther = (): void => {
      for (const listener of others) listener.call(server, socket)
    }
    const isHttp2 = (): void => sessions.take(socket)
    if (isTls) return (socket as TLSSocket).alpnProtocol === 'h2' ? isHttp2() : isOther()
    // Who left no room for it is gone.
    if (!socket.destroyed)
      readPreface(socket, timeout, { isHttp2, isOther, late: () => late(socket) })
  })
}

function close(server: ReturnType<typeof createServer>, connections: Connections): Promise<void> {
  return new Promise((resolve, reject) => {
    const cut = setTimeout(() => connections.close(), CLOSE_GRACE)
    server.close((error) => {
      clearTimeout(cut)
      connections.close()
      if (error === undefined) resolve()
      else reject(error)
    })
    server.closeIdleConnections()
  })
}

/** HTTP/1 ends such a request while it comes in; Node holds HTTP/2's to no size. */
function sizeOfHeaders({ rawHeaders }: IncomingMessage): number {
  return rawHeaders.reduce((sum, text) => sum + text.length, 0)
}

function headerOverflow(maxHeaderSize: number): Refusal {
  return {
    status: 431,
    message: `the request's line and headers are longer than ${maxHeaderSize} bytes; the server's option maxHeaderSize, or its flag --max-header-size, lets more in`,
  }
}

/** What is answered to what could not be read as a request; `undefined` where nobody could read it. */
function refusalFor(
  { code, rawPacket }: { readonly code?: string | undefined; readonly rawPacket?: Buffer },
  maxHeaderSize: number,
  headersTimeout: number,
): Refusal | undefined {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return headerOverflow(maxHeaderSize)
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return {
        status: 408,
        message: `the request's line and headers took longer than ${headersTimeout} ms`,
      }
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { status: 413, message: 'the chunk extensions are too long' }
    case 'HPE_INVALID_METHOD':
      // Only what looks like a method: a client that speaks TLS here sends none.
      if (/^[A-Za-z-]+ /.test(rawPacket?.toString('latin1', 0, 64) ?? ''))
        return { status: 501, message: 'the request method is not supported' }
      break
  }
  // A connection that broke, or no TLS: nothing can be said there.
  if (code?.startsWith('HPE_') !== true) return undefined
  return { status: 400, message: 'the request is malformed' }
}
