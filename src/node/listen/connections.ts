import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { constants, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { Refusal } from './request-check.ts'
import { openFileLimit } from '../files/descriptors.ts'
import { isClosed, isComplete, MAX_STREAMS, resetStream, streamOf } from './http2-server.ts'

/**
 * Connections of a server at once. Each costs some 20 KiB, and while a request's head comes in as
 * much again as `maxHeaderSize`: 400 MiB at most for the largest that `up` takes.
 */
const MAX_CONNECTIONS = 1000

/** Minimum connections, even with a low limit of open files. */
const MIN_CONNECTIONS = 8

/** Requests on one connection that have no answer yet. Benchmarks send 16, browsers one. */
const MAX_PIPELINED = 16

/** Milliseconds that a connection may be idle before it is dropped for another: its request may be on the way. */
const MIN_IDLE = 100

/** Milliseconds that a client may be behind before its connection is dropped for another. */
const MAX_PATIENCE = 5000

/** Milliseconds between two looks at the connections. */
const LOOK_EVERY = 1000

/** Requests after which it is looked at once more what waits to be sent. */
const REQUESTS_PER_LOOK = 16

interface ConnectionLimits {
  readonly maxConnections: number
  /** Bytes per second; 0 for any. */
  readonly minBodyRate: number
  /** Milliseconds over which the rate is measured. */
  readonly bodyRateWindow: number
  /** Milliseconds until a client reads on; 0 for any. */
  readonly sendTimeout: number
  /** Bytes of answers that are ready and that clients have not taken, of all connections together. */
  readonly maxUnsentBytes: number
  /** Milliseconds without a byte, for a client that owes none. */
  readonly idleTimeout: number
}

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Bytes that came of its body, or on the connection that it has for itself. */
  readonly bytes: () => number
  /** Bytes received, when the client was last behind with none. */
  received: Count
  /** Of HTTP/2: when the client last took some of the answer, as milliseconds. */
  taken: number
}

interface Count {
  /** Milliseconds. */
  readonly at: number
  readonly bytes: number
}

interface Connection {
  readonly socket: Socket
  /** In order. Of HTTP/1, only the last one's body can still be coming in. */
  readonly exchanges: Set<Exchange>
  /** Bytes received and sent, when the client was last behind with neither. */
  moved: Count
  /** Bytes wait for the client to read on. */
  isBlocked: boolean
  /** Since when it has no request. */
  idleSince: number
}

/** Looks after the connections of one server: slow clients are cut, idle ones make room. */
export interface Connections {
  /** Called for an accepted connection. `reject` responds when the limit is reached. */
  open(socket: Socket, reject: (refusal: Refusal) => void): void
  /** A request was received. `false` when it must not be answered: its connection is gone. */
  begin(request: IncomingMessage, response: ServerResponse): boolean
  /** Whether a response has begun on it, so that another would corrupt it. */
  isAnswering(socket: Socket): boolean
  /** Cuts all of them, TLS handshakes too. */
  close(): void
}

// A TLS socket is another object than the one that was accepted.
const keyOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`

export function createConnections(limits: ConnectionLimits): Connections {
  const { maxConnections, minBodyRate, bodyRateWindow, sendTimeout, maxUnsentBytes, idleTimeout } =
    limits
  const patience = Math.min(MAX_PATIENCE, bodyRateWindow / 4)
  const all = new Map<string, Connection>()
  /** Those without a request, the longest idle first. */
  const idle = new Set<Connection>()

  const forget = (key: string, connection: Connection): void => {
    if (all.get(key) === connection) all.delete(key)
    idle.delete(connection)
  }

  const end = (connection: Connection, exchange: Exchange): void => {
    connection.exchanges.delete(exchange)
    if (connection.exchanges.size > 0 || connection.socket.destroyed) return
    connection.idleSince = Date.now()
    idle.add(connection)
  }

  /** Drops the connection that is missed least. `false` when all of them are at work. */
  const makeRoom = (): boolean => {
    const [longest] = idle
    const isIdle = longest !== undefined && Date.now() - longest.idleSince >= MIN_IDLE
    const dropped = isIdle ? longest : slowest(all.values(), patience)
    if (dropped === undefined) return false
    dropped.socket.destroy()
    forget(keyOf(dropped.socket), dropped)
    return true
  }

  const lookAt = (connection: Connection, exchange: Exchange, now: number): void => {
    const { request, response } = exchange
    if (isClosed(response) && isComplete(request)) return end(connection, exchange)
    const stream = streamOf(response)
    if (stream !== undefined) {
      // Its client gives it no more room, whatever comes and goes on the connection.
      if (stream.writableLength === 0) exchange.taken = now
      else if (sendTimeout > 0 && now - exchange.taken >= sendTimeout)
        return resetStream(stream, constants.NGHTTP2_ENHANCE_YOUR_CALM)
    }
    const received = { at: now, bytes: exchange.bytes() }
    if (!isAwaited(request)) exchange.received = received
    else if (now - exchange.received.at >= bodyRateWindow) {
      if (rateBetween(exchange.received, received) < minBodyRate)
        return cut(connection, exchange, {
          status: 408,
          message: `the request body came in at less than ${minBodyRate} bytes per second`,
        })
      exchange.received = received
    }
  }

  const look = (connection: Connection, now: number): void => {
    for (const exchange of connection.exchanges) lookAt(connection, exchange, now)
    const last = lastOf(connection)
    if (last === undefined || connection.socket.destroyed) return
    const { socket } = last.request
    const isBlocked = socket.writableLength > 0
    if ((!isBlocked && !isAnyAwaited(connection)) || now - connection.moved.at >= bodyRateWindow)
      connection.moved = { at: now, bytes: movedBy(socket) }
    if (isBlocked === connection.isBlocked) return
    connection.isBlocked = isBlocked
    // Node starts over with each byte that goes out or comes in.
    socket.setTimeout(isBlocked && sendTimeout > 0 ? sendTimeout : idleTimeout)
  }

  /** Cuts the clients that have left most of their answers unread, while all leave too much. */
  const boundUnsent = (): void => {
    const waiting = [...all.values()]
      .map((connection) => ({ connection, bytes: unsentOf(connection) }))
      .filter(({ bytes }) => bytes > 0)
    let total = waiting.reduce((sum, { bytes }) => sum + bytes, 0)
    if (total <= maxUnsentBytes) return
    for (const { connection, bytes } of waiting.toSorted((a, b) => b.bytes - a.bytes)) {
      connection.socket.destroy()
      total -= bytes
      if (total <= maxUnsentBytes) return
    }
  }

  let begun = 0
  const timer = setInterval(
    () => {
      boundUnsent()
      const now = Date.now()
      for (const connection of all.values()) look(connection, now)
    },
    Math.min(LOOK_EVERY, bodyRateWindow / 4, sendTimeout > 0 ? sendTimeout / 4 : LOOK_EVERY),
  ).unref()

  return {
    open(socket, reject) {
      if (all.size >= maxConnections && !makeRoom())
        return reject({
          status: 503,
          message: `the server has ${maxConnections} connections, and all of them are at work`,
          headers: { 'Retry-After': '1' },
        })
      const key = keyOf(socket)
      const connection: Connection = {
        socket,
        exchanges: new Set(),
        moved: { at: 0, bytes: 0 },
        isBlocked: false,
        idleSince: Date.now(),
      }
      all.set(key, connection)
      idle.add(connection)
      socket.once('close', () => forget(key, connection))
    },
    begin(request, response) {
      if (++begun % REQUESTS_PER_LOOK === 0) boundUnsent()
      const connection = all.get(keyOf(request.socket))
      // Those answered before their bodies had come in, and not looked at since.
      for (const earlier of connection?.exchanges ?? [])
        if (isClosed(earlier.response) && isComplete(earlier.request))
          connection?.exchanges.delete(earlier)
      const stream = streamOf(response)
      const most = stream === undefined ? MAX_PIPELINED : MAX_STREAMS
      if (connection === undefined || connection.exchanges.size >= most) {
        request.socket.destroy()
        return false
      }
      const at = Date.now()
      const { socket } = request
      const bytes = stream === undefined ? () => socket.bytesRead : countOf(stream)
      const exchange: Exchange = {
        request,
        response,
        bytes,
        received: { at, bytes: bytes() },
        taken: at,
      }
      if (stream !== undefined) response.on('drain', () => (exchange.taken = Date.now()))
      connection.exchanges.add(exchange)
      connection.moved = { at, bytes: movedBy(request.socket) }
      idle.delete(connection)
      response.once('close', () => {
        // What it hasn't sent of its body is still waited for.
        if (isComplete(request)) end(connection, exchange)
      })
      return true
    },
    isAnswering(socket) {
      const exchanges = all.get(keyOf(socket))?.exchanges ?? []
      return [...exchanges].some(({ response }) => response.headersSent)
    },
    close() {
      clearInterval(timer)
      for (const { socket } of all.values()) socket.destroy()
    },
  }
}

function lastOf({ exchanges }: Connection): Exchange | undefined {
  return [...exchanges].at(-1)
}

/** Whether a client can send more of its body: nobody holds it up. */
function isAwaited(request: IncomingMessage): boolean {
  return (
    !isComplete(request) &&
    !request.destroyed &&
    request.readableLength < request.readableHighWaterMark
  )
}

function rateBetween(from: Count, to: Count): number {
  return ((to.bytes - from.bytes) * 1000) / (to.at - from.at)
}

function movedBy({ bytesRead, bytesWritten, writableLength }: Socket): number {
  return bytesRead + bytesWritten - writableLength
}

/** What is ready for a client, and lies in memory until it reads on. */
function unsentOf(connection: Connection): number {
  const { socket, exchanges } = connection
  // That of a TLS connection is another socket than the one that was accepted.
  let bytes = (lastOf(connection)?.request.socket ?? socket).writableLength
  for (const { response } of exchanges) bytes += streamOf(response)?.writableLength ?? 0
  return bytes
}

/** Of the clients that keep the server waiting, the slowest. */
function slowest(connections: Iterable<Connection>, patience: number): Connection | undefined {
  const now = Date.now()
  let found: { readonly connection: Connection; readonly rate: number } | undefined
  for (const connection of connections) {
    const last = lastOf(connection)
    if (last === undefined || now - connection.moved.at < patience) continue
    const { socket } = last.request
    if (!isAnyAwaited(connection) && socket.writableLength === 0) continue
    const rate = rateBetween(connection.moved, { at: now, bytes: movedBy(socket) })
    if (found === undefined || rate < found.rate) found = { connection, rate }
  }
  return found?.connection
}

function cut({ exchanges }: Connection, { request, response }: Exchange, refusal: Refusal): void {
  const stream = streamOf(response)
  if (stream !== undefined) {
    if (response.headersSent) return resetStream(stream, constants.NGHTTP2_ENHANCE_YOUR_CALM)
    const { connection: _, ...headers } = lowerCase(refusalHeaders(refusal.message))
    response.writeHead(refusal.status, headers).end(`${refusal.message}\n`)
    return
  }
  const { socket } = request
  if (exchanges.size > 1 || response.headersSent) socket.destroy()
  else rejectOn(socket, refusal)
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
}

/** Counts the bytes of a stream's body from here on. */
function countOf(stream: ServerHttp2Stream): () => number {
  let bytes = 0
  const push = stream.push.bind(stream)
  stream.push = (chunk: Uint8Array | null, ...rest: []) => {
    bytes += chunk?.length ?? 0
    return push(chunk, ...rest)
  }
  return () => bytes
}

function isAnyAwaited({ exchanges }: Connection): boolean {
  return [...exchanges].some(({ request }) => isAwaited(request))
}

/** Answers on a bare connection, and ends it. */
export function rejectOn(socket: Socket, { status, message, headers = {} }: Refusal): void {
  // A client that did not read earlier data will not read this.
  if (!socket.writable || socket.writableLength > 0) return void socket.destroy()
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...Object.entries({ ...headers, ...refusalHeaders(message) }).map(
      ([name, value]) => `${name}: ${value}`,
    ),
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n${message}\n`, () => socket.destroy())
}

/** Of a text in UTF-8 and a line break, after which the connection ends. */
export function refusalHeaders(message: string): Record<string, string> {
  return {
    Connection: 'close',
    'Content-Type': 'text/plain; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
    'Content-Length': String(Buffer.byteLength(message) + 1),
  }
}

/**
 * How many connections are taken at once, unless said otherwise: half of the files that the process
 * may open at most, as the handler needs some too. Where there are more, none could be accepted.
 */
export function defaultMaxConnections(): number {
  return Math.min(MAX_CONNECTIONS, Math.max(MIN_CONNECTIONS, Math.floor(openFileLimit() / 2)))
}
