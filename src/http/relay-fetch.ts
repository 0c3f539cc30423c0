import { isStream } from '../bytes/stream.ts'
import type { FetchLike } from '../types.ts'
import { detectPlatform } from './platform.ts'

/** Options of `createRelayFetch`. */
export interface RelayFetchOptions {
  /** Default: the global `fetch`. */
  fetch?: FetchLike
  /**
   * Headers added to each request, as in `{ 'Relay-Authorization': … }` for a relay that requires
   * it.
   */
  headers?: Readonly<Record<string, string>>
}

/**
 * Creates a `fetch` that reaches registries through a relay, for pages: registries rarely allow
 * CORS.
 *
 * Exported from the main entry point and `spindle/repository`. Requests to `https://<host>/v2/…` go to
 * `<relay>/<host>/v2/…`, and URLs in responses are translated back, so that push, pull and
 * copy work unchanged. Other requests, such as those to signing services, are sent directly.
 *
 * @example Push from a page through the relay of its own site
 * ```ts
 * await push(app, 'ghcr.io/team/hello:1', { credentials, fetch: createRelayFetch('/relay') })
 * ```
 * @param relay URL of the relay, as in `https://relay.example/relay`, or a path of the page's origin.
 * @throws TypeError for a relative URL outside of a page.
 */
export function createRelayFetch(relay: string | URL, options: RelayFetchOptions = {}): FetchLike {
  const { fetch: send = (request: Request) => fetch(request), headers = {} } = options
  const base = resolveRelay(relay)
  const root = base.pathname.replace(/\/$/, '')
  const { isBrowser } = detectPlatform()

  return async (request) => {
    const url = new URL(request.url)
    if (!/^\/(?:v2|_relay)(?:\/|$)/.test(url.pathname)) return send(request)
    const path = `${root}/${url.host}`
    const target = new URL(base)
    target.pathname = `${path}${url.pathname}`
    target.search = url.search
    const more = new Headers(request.headers)
    for (const [name, value] of Object.entries(headers)) more.set(name, value)
    const response = await send(await readdress(request, target, more, isBrowser))

    // Realms are absolute URLs, locations relative; a proxy may have changed the origin of either.
    const restore = (text: string): string =>
      text.replaceAll(
        new RegExp(
          String.raw`(?:https?://[^/"<>\s]+)?${escapeExpression(path)}(?=/(?:v2|_relay)/)`,
          'g',
        ),
        url.origin,
      )
    const changed = ['location', 'link', 'www-authenticate'].flatMap((name) => {
      const value = response.headers.get(name)
      return value === null ? [] : [[name, restore(value)] as const]
    })
    if (changed.length === 0) return response
    const restored = new Headers(response.headers)
    for (const [name, value] of changed) restored.set(name, value)
    const { status, statusText } = response
    return new Response(response.body, { status, statusText, headers: restored })
  }
}

/**
 * The same request to another URL. In browsers with a `Blob` as body: they do not stream bodies
 * over HTTP/1.1.
 */
async function readdress(
  request: Request,
  url: URL,
  headers: Headers,
  isBrowser: boolean,
): Promise<Request> {
  const { method, signal, redirect } = request
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const body = !hasBody ? null : isBrowser ? await request.blob() : request.body
  return new Request(url, {
    method,
    headers,
    signal,
    redirect,
    ...(body !== null && { body }),
    ...(isStream(body) && { duplex: 'half' }),
    // Keeps Node from buffering the body: see the transport.
    ...(isStream(body) && redirect === 'error' && { window: null }),
    // No cookies, and no password dialog of the browser.
    ...(isBrowser && { credentials: 'omit' }),
  } as RequestInit)
}

function resolveRelay(relay: string | URL): URL {
  const { location } = globalThis as { location?: { readonly href?: string } }
  const here = location?.href
  if (!URL.canParse(String(relay), here))
    throw new TypeError(
      `"relay" is ${JSON.stringify(String(relay))}: outside of a page it must be a whole address, as https://relay.example/relay`,
    )
  return new URL(String(relay), here)
}

function escapeExpression(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}
