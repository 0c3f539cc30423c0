import { discard } from '../../http/response-body.ts'
import { followRedirects, isRedirect } from '../../http/redirect.ts'
import { type OutgoingRequest, setSender } from '../../http/sender.ts'
import type { FetchLike } from '../../types.ts'
import { createNegotiation } from './alpn.ts'
import { exchange, sendWhenConnected, type WireRequest } from './exchange.ts'
import { createRoutes, KEPT_OPEN } from './fetch-routes.ts'
import { sendByHttp1 } from './http1.ts'
import { type OutgoingBody, takeBody } from './fetch-body.ts'
import type { ProxySettings } from './proxy.ts'
import { refusal } from './proxy-tunnel.ts'
import { withDescriptor } from '../files/descriptors.ts'

/** Registries with signed upload locations send more than the 16 KiB that Node reads by default. */
const MAX_HEADER_BYTES: number = 64 * 1024
/** As long as Node's own `fetch` waits; the transport gives up before. */
const IDLE_TIMEOUT: number = 5 * 60 * 1000

/** Headers of the connection, which callers cannot set, as in browsers. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

export interface NodeFetchOptions {
  /**
   * Certificates in PEM of authorities that are trusted beside Node's own: of a registry in one's
   * own network. `NODE_EXTRA_CA_CERTS` does the same for a whole process; on Node 20 it does not
   * count where this is given.
   */
  ca?: string | readonly string[]
  /** Milliseconds without a byte after which a server is given up. Default five minutes; `false` for ever. */
  idleTimeout?: number | false
  /** Most bytes of an answer's headers. Default 64 KiB. */
  maxHeaderSize?: number
  /**
   * Proxies to go through, as `readProxyEnvironment()` gives them; a text is the address of one for
   * everything. Loopback is reached without. Default: none.
   */
  proxy?: string | ProxySettings
}

/**
 * A `fetch` on Node's own HTTP client, which costs a third of the global one: what counts with
 * thousands of small blobs.
 *
 * Exported from `spindle/node`; the `spindle` command uses it. Connections are kept and used again.
 * Bodies stream both ways, and a layer that is sent is not kept for a redirect.
 *
 * It is for talking to registries, and stricter than the global one: it asks for bodies without a
 * coding, and removes gzip, deflate, br and (from Node 22.15 on) zstd where a proxy adds them; redirects are followed at most 5 times, with the method
 * that was meant, never from https to plain http, and without `Authorization` to another origin.
 *
 * @example Thousands of small files
 * ```ts
 * await push(app, ref, { fetch: createNodeFetch() })
 * ```
 *
 * @example A registry with a certificate of one's own authority
 * ```ts
 * const fetch = createNodeFetch({ ca: await readFile('/etc/ssl/our-ca.pem', 'utf8') })
 * ```
 *
 * @example Through a proxy
 * ```ts
 * const fetch = createNodeFetch({ proxy: 'http://user:password@proxy.example:3128' })
 * ```
 *
 * Rejects with the signal's reason, or as `fetch` does with a `TypeError` whose cause has the code,
 * as `ECONNREFUSED`; a proxy that refuses or can't be used is a `SpindleError`: `ERR_UNAUTHORIZED` when it
 * wants another login, `ERR_UNSUPPORTED` for its address, else `ERR_NETWORK` or `ERR_RESPONSE`. Throws a
 * `TypeError` for a `ca` that is no certificate.
 * @see {@link https://fetch.spec.whatwg.org/ Fetch}
 */
export function createNodeFetch(options: NodeFetchOptions = {}): FetchLike {
  const { ca, idleTimeout = IDLE_TIMEOUT, maxHeaderSize = MAX_HEADER_BYTES } = options
  if (idleTimeout !== false && !(idleTimeout > 0 && idleTimeout < Infinity))
    throw new TypeError(`"idleTimeout" must be milliseconds or false, not ${idleTimeout}`)
  const { proxy = {} } = options
  const routeTo = createRoutes({
    ca,
    maxHeaderSize,
    proxy: typeof proxy === 'string' ? { http: proxy, https: proxy } : proxy,
  })

  const negotiate = createNegotiation({
    maxHeaderSize,
    idleTimeout: idleTimeout || 0,
    keptOpen: KEPT_OPEN,
  })

  /** One request and its response's headers; `due` is when these must have arrived. */
  const send = async (
    url: URL,
    init: OutgoingRequest,
    headers: Headers,
    body: OutgoingBody | undefined,
    due: number | undefined,
  ): Promise<Response> => {
    const route = routeTo(url)
    const { forwarder } = route
    if (forwarder?.authorization !== undefined) init.onProxyAuthorization?.(forwarder.authorization)
    const request: WireRequest = {
      url,
      method: init.method,
      headers: Object.assign(outgoing(headers, body), route.headers),
      body,
    }
    const opening = new AbortController()
    const sendHttp1 = sendByHttp1({
      send: route.send,
      options: {
        ...route.options,
        maxHeaderSize,
        ...(route.isTunnel && { tunnelSignal: opening.signal, tunnelTimeout: idleTimeout || 0 }),
      },
      idleTimeout: idleTimeout || 0,
      opening,
    })
    const { tls } = route
    const sendAny =
      tls === undefined
        ? sendHttp1
        : sendWhenConnected(
            async (connecting) => (await negotiate(url, tls, connecting))?.send ?? sendHttp1,
          )
    return exchange(sendAny, request, {
      limits: init,
      due,
      forwarder,
      refuse: (status) =>
        forwarder !== undefined && status === 407 ? refusal(forwarder, 407, url.host) : undefined,
    })
  }

  const sendRequest = async (url: URL, init: OutgoingRequest): Promise<Response> => {
    if (url.protocol !== 'https:' && url.protocol !== 'http:')
      throw new TypeError('fetch failed', { cause: new Error(`unknown scheme ${url.protocol}`) })
    const { method, headers, redirect, deadline } = init
    // Once for all: a body that is read ahead and each redirect take of the same time.
    const due = deadline && performance.now() + deadline.milliseconds
    const given = init.body ?? undefined
    const body = given === undefined ? undefined : await takeBody(given, init)
    if (redirect === 'follow') {
      let opened = false
      const again = (hop: { url: URL; headers: Headers }): Promise<Response> => {
        if (opened && body !== undefined && !('bytes' in body))
          throw new TypeError('fetch failed', { cause: new Error('a stream is not sent again') })
        opened = true
        return connected(body, () => send(hop.url, init, hop.headers, body, due))
      }
      return (await followRedirects(again, { method, url, headers }, { sameOrigin: false }))
        .response
    }
    const response = await connected(body, () => send(url, init, headers, body, due))
    if (redirect !== 'error' || !isRedirect(response)) return response
    discard(response)
    throw new TypeError('fetch failed', { cause: new Error('unexpected redirect') })
  }

  const fetch = (request: Request): Promise<Response> => sendRequest(new URL(request.url), request)
  setSender(fetch, sendRequest)
  return fetch
}

/** Waits for a descriptor where none is left for a connection; a stream can't be sent twice. */
function connected<T>(body: OutgoingBody | undefined, send: () => Promise<T>): Promise<T> {
  return body === undefined || 'bytes' in body ? withDescriptor(send) : send()
}

function outgoing(headers: Headers, body: OutgoingBody | undefined): Record<string, string> {
  const out: Record<string, string> = Object.create(null)
  out['accept'] = '*/*'
  out['user-agent'] = 'spindle'
  for (const [name, value] of headers) if (!OWN_HEADERS.has(name)) out[name] = value
  // A coding on the way would make sizes and ranges those of other bytes.
  out['accept-encoding'] ??= 'identity'
  if (body?.size !== undefined) out['content-length'] = String(body.size)
  return out
}
