import { isStream } from '../bytes/stream.ts'
import type { FetchLike } from '../types.ts'
import { detectPlatform } from './platform.ts'

export interface RelayFetchOptions {
  /** Default: the global `fetch`. */
  fetch?: FetchLike
  /** Sent with each request, as `{ 'Relay-Authorization': … }` for a relay that asks for it. */
  headers?: Readonly<Record<string, string>>
}

/**
 * A `fetch` that goes to registries through a relay, for pages that no registry answers.
 *
 * Exported from the main entry point and `spindle/repository`. Requests to `https://<host>/v2/…` go to
 * `<relay>/<host>/v2/…`, and addresses in the answers come back as the registry's own, so that
 * push, pull and copy work as if they spoke to it. All else, as signing services, is reached
 * directly.
 *
 * @example Push from a page through the relay of its own site
 * ```ts
 * await push(app, 'ghcr.io/team/hello:1', { credentials, fetch: createRelayFetch('/relay') })
 * ```
 * @param relay Where the relay is, as `https://relay.example/relay` or a path of the page's own origin.
 * @throws TypeError for a relative address outside of a page.
 */
export function createRelayFetch(relay: string | URL, options: RelayFetchOptions = {}): FetchLike {
  const { fetch: send = (request: Request) => fetch(request), headers = {} } = options
  const base = resolveRelay(relay)
  const root = base.pathname.replace(/\/$/, '')
  const { guarded } = detectPlatform()

  return async (request) => {
    const url = new URL(request.url)
    if (!/^\/(?:v2|_relay)(?:\/|$)/.test(url.pathname)) return send(request)
    const path = `${root}/${url.host}`
    const target = new URL(base)
    target.pathname = `${path}${url.pathname}`
    target.search = url.search
    const more = new Headers(request.headers)
    for (const [name, value] of Object.entries(headers)) more.set(name, value)
    const response = await send(await readdress(request, target, more, guarded))

    // A realm is absolute and a location is not; a proxy may have changed the origin of either.
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

/** The same request to another address. Browsers stream no bodies over HTTP/1.1: there it goes as a `Blob`. */
async function readdress(
  request: Request,
  url: URL,
  headers: Headers,
  guarded: boolean,
): Promise<Request> {
  const { method, signal, redirect } = request
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const body = !hasBody ? null : guarded ? await request.blob() : request.body
  return new Request(url, {
    method,
    headers,
    signal,
    redirect,
    ...(body !== null && { body }),
    ...(isStream(body) && { duplex: 'half' }),
    // What Node sends directly it need not keep: see the transport.
    ...(isStream(body) && redirect === 'error' && { window: null }),
    // No cookies, and no dialog of the browser's when a registry wants a password.
    ...(guarded && { credentials: 'omit' }),
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
