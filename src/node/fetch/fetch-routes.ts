import { X509Certificate } from 'node:crypto'
import { Agent as PlainAgent, request as sendPlain, type RequestOptions } from 'node:http'
import { Agent as TlsAgent, request as sendTls } from 'node:https'
import type { Socket } from 'node:net'
import * as nodeTls from 'node:tls'
import { createProxySelector, type Proxy, type ProxySettings } from './proxy.ts'
import { createTunnelAgent, proxyEndpoint, proxyHeaders } from './proxy-tunnel.ts'
import { openFileLimit } from '../files/descriptors.ts'

/** Milliseconds. Servers close unused connections after 5 s or more; one that closes under a request costs a retry. */
export const KEPT_OPEN = 4000

interface RouteOptions {
  /** See `NodeFetchOptions`. */
  readonly ca: string | readonly string[] | undefined
  readonly maxHeaderSize: number
  readonly proxy: ProxySettings
  /** Whether connections are kept for the next request. Default: true. */
  readonly keepAlive?: boolean
}

/** How a request gets to its server. */
interface Route {
  readonly send: typeof sendPlain
  readonly options: RequestOptions
  /** To be sent beside the request's own. */
  readonly headers: Readonly<Record<string, string>>
  /** The proxy that reads the request and answers it. One that only tunnels does neither. */
  readonly forwarder?: Proxy
  readonly isTunnel?: boolean
  /** Of connections with TLS to the server itself. */
  readonly tls?: TlsAgent
}

/** The part of the files a process may open that is for connections of one kind; others wait in line. */
const SOCKETS_SHARE = 1 / 4

function maxSockets(): number {
  return Math.max(2, Math.floor(openFileLimit() * SOCKETS_SHARE))
}

/**
 * Makes what finds the way to a URL. It keeps connections for the next request unless told otherwise;
 * idle ones don't keep the process alive. It throws `ProxyError` for a proxy that can't be used.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#name-absolute-form RFC 9112, 3.2.2}
 */
export function createRoutes({
  ca,
  maxHeaderSize,
  proxy: settings,
  keepAlive = true,
}: RouteOptions): (url: URL) => Route {
  const options = { keepAlive, timeout: KEPT_OPEN, maxTotalSockets: maxSockets() }
  const trusted = ca === undefined ? {} : { secureContext: trustAlso(ca) }
  const plain = watchIdle(new PlainAgent(options))
  const tls = watchIdle(new TlsAgent({ ...options, ...trusted }))
  const tunnels = new Map<Proxy, TlsAgent>()
  const proxyFor = createProxySelector(settings)
  const tunnelBy = (proxy: Proxy): TlsAgent => {
    const agent =
      tunnels.get(proxy) ??
      watchIdle(createTunnelAgent(proxy, { ...options, ...trusted, maxHeaderSize }))
    tunnels.set(proxy, agent)
    return agent
  }
  return (url) => {
    const isTls = url.protocol === 'https:'
    const proxy = proxyFor(url)
    if (proxy !== undefined && !isTls)
      return {
        send: proxy.isTls ? sendTls : sendPlain,
        options: {
          agent: proxy.isTls ? tls : plain,
          ...proxyEndpoint(proxy),
          path: `${url.origin}${url.pathname}${url.search}`,
        },
        headers: { host: url.host, ...proxyHeaders(proxy) },
        forwarder: proxy,
      }
    const secure = !isTls ? undefined : proxy !== undefined ? tunnelBy(proxy) : tls
    return {
      send: isTls ? sendTls : sendPlain,
      options: {
        agent: secure ?? plain,
        hostname: url.hostname.replace(/^\[|\]$/g, ''),
        ...(url.port !== '' && { port: url.port }),
        path: url.pathname + url.search,
      },
      headers: {},
      isTunnel: proxy !== undefined,
      ...(secure !== undefined && { tls: secure }),
    }
  }
}

/** Closes idle connections that receive data: it could be taken for the response to the next request. */
function watchIdle<T extends PlainAgent>(agent: T): T {
  const keep = agent.keepSocketAlive.bind(agent) as (socket: Socket) => boolean
  const reuse = agent.reuseSocket.bind(agent)
  return Object.assign(agent, {
    keepSocketAlive(socket: Socket): boolean {
      socket.once('data', drop)
      return keep(socket)
    },
    reuseSocket(socket: Socket, request: Parameters<typeof reuse>[1]): void {
      socket.off('data', drop)
      reuse(socket, request)
    },
  })
}

function drop(this: Socket): void {
  this.destroy()
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/**
 * What checks servers against Node's own authorities and those given. To be made once, not for each
 * connection: to read Node's own takes 20 ms (measured).
 */
function trustAlso(ca: string | readonly string[]): nodeTls.SecureContext {
  const given = [ca].flat().flatMap((text) => text.match(CERTIFICATE) ?? [])
  try {
    // OpenSSL silently ignores certificates that it cannot parse.
    for (const certificate of given) new X509Certificate(certificate)
  } catch (cause) {
    throw new TypeError(
      '"ca" has a certificate that can’t be read: give it as it was issued, in PEM',
      {
        cause,
      },
    )
  }
  if (given.length === 0)
    throw new TypeError('"ca" must be certificates in PEM, as "-----BEGIN CERTIFICATE-----…"')
  return nodeTls.createSecureContext({ ca: [...ownAuthorities(), ...given] })
}

/** The default certificate authorities; on Node 20, only the built-in ones. */
function ownAuthorities(): readonly string[] {
  const { getCACertificates } = nodeTls as { getCACertificates?: (type: 'default') => string[] }
  return getCACertificates?.('default') ?? nodeTls.rootCertificates
}
