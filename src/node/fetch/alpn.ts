import type { Agent } from 'node:https'
import { isIP, type Socket } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { createHttp2Session, type Http2Options, type Http2Session } from './http2.ts'

type OpenConnection = (
  options: ConnectionOptions & Record<string, unknown>,
  done: (error: Error | null, socket?: Socket) => void,
) => Socket | undefined

/** What is known of one server. */
type Server =
  | { readonly protocol: 'http1'; spare: Socket | undefined }
  | { readonly protocol: 'h2'; readonly session: Http2Session }
  | {
      readonly protocol: 'unknown'
      readonly found: Promise<Http2Session | undefined>
      readonly attempt: AbortController
      /** Requests that wait for it. */
      waiting: number
    }

/**
 * Creates the function that finds out by ALPN whether a server speaks HTTP/2: it resolves with a
 * session, or with `undefined` for HTTP/1.1. All requests to one server wait for its first
 * connection, which HTTP/1.1 then uses too.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7301 RFC 7301}
 */
export function createNegotiation(
  options: Http2Options,
): (url: URL, agent: Agent, signal: AbortSignal) => Promise<Http2Session | undefined> {
  const agents = new WeakMap<Agent, ReturnType<typeof watchAgent>>()
  return (url, agent, signal) => {
    const known = agents.get(agent) ?? watchAgent(agent, options)
    agents.set(agent, known)
    return known(url, signal)
  }
}

function watchAgent(
  agent: Agent,
  options: Http2Options,
): (url: URL, signal: AbortSignal) => Promise<Http2Session | undefined> {
  const servers = new Map<string, Server>()
  const openBare = agent.createConnection.bind(agent) as unknown as OpenConnection
  const open: OpenConnection = (target, done) => openBare({ ...agent.options, ...target }, done)
  const createConnection: OpenConnection = (target, done) => {
    const server = servers.get(`${target.host}:${target.port}`)
    const spare = server?.protocol === 'http1' ? server.spare : undefined
    if (server?.protocol !== 'http1' || spare === undefined) return open(target, done)
    server.spare = undefined
    if (spare.destroyed) return open(target, done)
    spare.setTimeout(0)
    spare.removeAllListeners('timeout')
    return spare.ref()
  }
  Object.assign(agent, { createConnection })

  async function negotiate(
    url: URL,
    key: string,
    signal: AbortSignal,
  ): Promise<Http2Session | undefined> {
    const socket = await openTls(open, url, options.idleTimeout, signal)
    if (socket.alpnProtocol === 'h2') {
      const session = createHttp2Session(url.origin, socket, options)
      servers.set(key, { protocol: 'h2', session })
      return session
    }
    servers.set(key, { protocol: 'http1', spare: socket })
    socket.setTimeout(options.keptOpen, () => void socket.destroy())
    socket.once('error', () => {})
    socket.unref()
    return undefined
  }

  return async (url, signal) => {
    const key = `${hostOf(url)}:${url.port || 443}`
    let server = servers.get(key)
    if (server?.protocol === 'http1') return undefined
    if (server?.protocol === 'h2') {
      if (server.session.isOpen()) return server.session
      server = undefined
    }
    if (server === undefined) {
      const attempt = new AbortController()
      const found = negotiate(url, key, attempt.signal)
      const begun: Server = { protocol: 'unknown', found, attempt, waiting: 0 }
      found.catch(() => {
        if (servers.get(key) === begun) servers.delete(key)
      })
      server = begun
      servers.set(key, begun)
    }
    const { found, attempt } = server
    const joined = server
    joined.waiting++
    const leave = (): void => {
      if (--joined.waiting > 0) return
      if (servers.get(key) === joined) servers.delete(key)
      attempt.abort(signal.reason)
    }
    signal.addEventListener('abort', leave)
    try {
      return await found
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }
}

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '')

function openTls(
  open: OpenConnection,
  url: URL,
  idleTimeout: number,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const host = hostOf(url)
  return new Promise((resolve, reject) => {
    const watch = (socket: TLSSocket): void => {
      const stop = (): void => void socket.destroy(signal.reason as Error)
      signal.addEventListener('abort', stop)
      if (signal.aborted) stop()
      socket.setTimeout(idleTimeout, () =>
        socket.destroy(Object.assign(new Error('no data arrived in time'), { code: 'ETIMEDOUT' })),
      )
      socket.once('error', reject)
      socket.once('close', () => reject(closed()))
      socket.once('secureConnect', () => {
        signal.removeEventListener('abort', stop)
        socket.removeAllListeners('timeout')
        socket.removeListener('error', reject)
        resolve(socket)
      })
    }
    const socket = open(
      {
        host,
        port: Number(url.port || 443),
        servername: isIP(host) === 0 ? host : '',
        ALPNProtocols: ['h2', 'http/1.1'],
        tunnelSignal: signal,
        tunnelTimeout: idleTimeout,
      },
      (error, tunnelled) => {
        if (error !== null) reject(error)
        else if (tunnelled !== undefined) watch(tunnelled as TLSSocket)
      },
    )
    if (socket !== undefined) watch(socket as TLSSocket)
  })
}

/** As Node's HTTP client reports it. */
function closed(): Error {
  return Object.assign(new Error('the connection was closed before it was secure'), {
    code: 'ECONNRESET',
  })
}
