import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createHostCheck, type HostNameOptions, refusedHost } from '../serve/host-names.ts'
import type { FetchHandler } from '../types.ts'
import { readOnWhenRefused } from './refused-body.ts'

/** Milliseconds that answers in progress are given to end before their connections are cut. */
const CLOSE_GRACE = 5000

/** Milliseconds without a byte after which a connection is cut. */
const IDLE_TIMEOUT = 5 * 60 * 1000

/** `allowedHosts` defaults to those of loopback where it listens on loopback, else to any. */
export interface ListenOptions extends HostNameOptions {
  /** Address to listen on. Default `127.0.0.1`: nobody outside the machine reaches it. */
  host?: string
  /** Default 0: any free port. */
  port?: number
  /** Speaks HTTPS, as whom this certificate says. Both are texts in PEM. Default: plain HTTP. */
  tls?: { readonly cert: string; readonly key: string }
}

export interface Listener {
  /** As `http://127.0.0.1:43567`, or `https:` with `tls`, without a slash at the end. */
  readonly url: string
  /** Takes no more requests, waits five seconds for those under way, then cuts them off. */
  close(): Promise<void>
}

/**
 * Puts a `fetch` handler behind a port.
 *
 * Exported from `spindle/node`. Bodies stream both ways; `request.signal` aborts when the client
 * leaves. On a loopback address only its own host names are answered, so that no page can reach the
 * handler through a name of its own that leads there: see `allowedHosts`.
 *
 * @example A registry on this machine
 * ```ts
 * const registry = createRegistryHandler({ storage: createFileStorage('./registry') })
 * const { url, close } = await listen(registry, { port: 5000 })
 * ```
 * @returns Once connections are accepted.
 * @throws The error of `node:http` when the address can't be had, or of `node:tls` for a certificate
 * that is none or has another key. A TypeError for a host name that is none.
 */
export async function listen(
  handler: FetchHandler,
  options: ListenOptions = {},
): Promise<Listener> {
  const { host = '127.0.0.1', port = 0, tls, allowedHosts } = options
  let isAnswered = createHostCheck(allowedHosts ?? [])
  const { toNodeHandler } = await import('srvx/node')
  const answer = async (request: Request): Promise<Response> => {
    if (!URL.canParse(request.url)) return textAnswer(400, 'the Host header is no host name')
    const url = new URL(request.url)
    return isAnswered(url) ? handler.fetch(request) : textAnswer(421, refusedHost(url))
  }
  const handle = toNodeHandler(answer) as (...args: Parameters<RequestListener>) => unknown
  let closing: Promise<void> | undefined
  const onRequest: RequestListener = (request, response) => {
    // A client keeps its connection for a next request, which none may make any more.
    response.once('close', () => {
      if (closing !== undefined) setImmediate(() => server.closeIdleConnections())
    })
    readOnWhenRefused(request, response)
    // Not awaited by Node: a client that leaves in the middle must not end the process.
    Promise.resolve(handle(request, response)).catch(() => response.destroy())
  }
  // A layer of gigabytes over a slow line takes longer than the five minutes that Node gives a whole
  // request; what stalls is ended by the time without a byte instead.
  const server =
    tls === undefined
      ? createServer({ requestTimeout: 0 }, onRequest)
      : createSecureServer({ requestTimeout: 0, cert: tls.cert, key: tls.key }, onRequest)
  server.setTimeout(IDLE_TIMEOUT)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const address = server.address() as AddressInfo
  if (allowedHosts === undefined && !isLoopbackAddress(address)) isAnswered = () => true
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${name}:${address.port}`,
    close: () => (closing ??= close(server)),
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

function close(server: ReturnType<typeof createServer>): Promise<void> {
  return new Promise((resolve, reject) => {
    const cut = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE)
    server.close((error) => {
      clearTimeout(cut)
      if (error === undefined) resolve()
      else reject(error)
    })
    server.closeIdleConnections()
  })
}
