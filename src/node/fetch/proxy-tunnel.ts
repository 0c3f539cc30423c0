import { request as sendPlain } from 'node:http'
import { Agent, type AgentOptions, request as sendTls } from 'node:https'
import { isIP, type Socket } from 'node:net'
import type { ConnectionOptions, SecureContext } from 'node:tls'
import { type Proxy, ProxyError } from './proxy.ts'

interface TunnelOptions extends AgentOptions {
  /** Certificates that the proxy and the servers behind it are checked against. */
  readonly secureContext?: SecureContext
  /** Most bytes of the headers of a proxy's answer. */
  readonly maxHeaderSize: number
}

/** What a request through a tunnel has in its options. */
interface TunnelRequest {
  /** Ends the attempt to open a tunnel; the tunnel itself stays for others. */
  readonly tunnelSignal?: AbortSignal
  /** Milliseconds that the proxy may take to answer; 0 for ever. */
  readonly tunnelTimeout?: number
}

/**
 * An agent for https through a proxy: `CONNECT`, then TLS to the server itself, so that the proxy sees
 * and changes nothing. An answer other than 2xx is an error and never a response of the server.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#name-connect RFC 9110, 9.3.6}
 */
export function createTunnelAgent(proxy: Proxy, options: TunnelOptions): Agent {
  const { maxHeaderSize, ...agentOptions } = options
  const agent = new Agent(agentOptions)
  const openTls = agent.createConnection.bind(agent) as (options: ConnectionOptions) => Socket
  const createConnection = (
    target: ConnectionOptions & TunnelRequest,
    done: (error: Error | null, socket?: Socket) => void,
  ): void => {
    const { host = '', port, tunnelSignal, tunnelTimeout } = target
    const authority = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`
    const opened = (proxy.isTls ? sendTls : sendPlain)({
      ...proxyEndpoint(proxy),
      agent: false,
      method: 'CONNECT',
      path: authority,
      headers: { host: authority, ...proxyHeaders(proxy) },
      maxHeaderSize,
      timeout: tunnelTimeout ?? 0,
      ...(tunnelSignal !== undefined && { signal: tunnelSignal }),
      ...(options.secureContext !== undefined && { secureContext: options.secureContext }),
    })
    opened.on('timeout', () => {
      opened.destroy(
        Object.assign(new Error('the proxy did not answer in time'), { code: 'ETIMEDOUT' }),
      )
    })
    opened.on('error', (cause) => {
      done(new ProxyError('ERR_NETWORK', `the proxy ${proxy.shown} can't be reached`, { cause }))
    })
    opened.on('connect', ({ statusCode = 0 }, socket: Socket, head: Buffer) => {
      // A TLS server waits for the client; what comes before is not from it.
      if (statusCode >= 200 && statusCode < 300 && head.length === 0) {
        socket.setTimeout(0)
        return done(null, openTls({ ...target, socket }))
      }
      socket.destroy()
      done(refusal(proxy, statusCode, authority))
    })
    opened.end()
  }
  return Object.assign(agent, { createConnection })
}

/** Options of a request that goes to a proxy. */
export function proxyEndpoint({ host, port }: Proxy): object {
  // Without it, it would be the name in the header `Host`, of another server.
  return { host, port, servername: isIP(host) === 0 ? host : '' }
}

export function proxyHeaders({ authorization }: Proxy): Record<string, string> {
  return authorization === undefined ? {} : { 'proxy-authorization': authorization }
}

/** The error for a proxy that does not let a request through. */
export function refusal(proxy: Proxy, status: number, target: string): ProxyError {
  if (status === 407) {
    const login = proxy.authorization === undefined ? 'wants a login' : 'refuses the login'
    return new ProxyError(
      'ERR_UNAUTHORIZED',
      `the proxy ${proxy.shown} ${login} (407): put a user name and password for it into its address, as in http://USER:PASSWORD@HOST:PORT`,
    )
  }
  const isTransient = status >= 500 || status === 429
  return new ProxyError(
    isTransient ? 'ERR_NETWORK' : 'ERR_RESPONSE',
    `the proxy ${proxy.shown} did not connect to ${target} (${status}); check the host, or name it in NO_PROXY if it is reached without the proxy`,
    { response: { status, method: 'CONNECT', url: target, details: [] } },
  )
}
