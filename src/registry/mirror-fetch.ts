import { discard } from '../http/response-body.ts'
import { followRedirects } from '../http/redirect.ts'
import { apiHostOf } from '../oci/reference.ts'
import type { FetchLike } from '../types.ts'

/**
 * Milliseconds until the headers of a mirror's response must arrive: mirrors are expected to be
 * fast.
 */
const TIMEOUT = 5000
/** Milliseconds for which an unreachable mirror is skipped. */
const PAUSE = 30_000

/** Paths of content, which is the same on a mirror. */
const CONTENT = /^\/v2\/.+\/(?:manifests|blobs)\/[^/]+$/

/** A mirror of one or more registries. */
export interface Mirror {
  /** Origin, with the path above `/v2/` if there is one: `https://mirror.example`. */
  readonly url: string
  /** Adds `?ns=REGISTRY`, for a proxy of several registries. Default false. */
  readonly ns?: boolean
}

/** Options of `createMirrorFetch`. */
export interface MirrorFetchOptions {
  /** Default: the global `fetch`. */
  fetch?: FetchLike
  /** Milliseconds until the headers of a mirror's response must arrive. Default 5000. */
  timeout?: number
}

/**
 * Creates a `fetch` that requests content from mirrors, one after another, and then from the
 * registry.
 *
 * Exported from the main entry point and `spindle/repository`. For pulls only: requests that would
 * change a registry reject,
 * as a mirror does not show what the registry has. Mirrors are used for manifests and blobs only,
 * not for lists of referrers or tags, and never receive the registry's credentials, nor does a
 * server they redirect to. Bytes are verified as always. The mirror decides which digest a tag has:
 * use a digest, or verify a signature.
 *
 * @example Use a mirror in the local network
 * ```ts
 * const fetch = createMirrorFetch({ 'docker.io': ['https://mirror.example'] })
 * const app = await pull('docker.io/team/hello:1', { fetch })
 * ```
 * @param mirrors Mirrors by registry, as in references. Plain http is used only if the URL has that scheme.
 * @throws TypeError for an invalid URL.
 */
export function createMirrorFetch(
  mirrors: Readonly<Record<string, readonly (string | Mirror)[]>>,
  options: MirrorFetchOptions = {},
): FetchLike {
  const { fetch: send = (request: Request) => fetch(request), timeout = TIMEOUT } = options
  const byHost = new Map(
    Object.entries(mirrors).map(([registry, list]) => [
      apiHostOf(registry),
      list.map((mirror) => parseMirror(mirror, registry)),
    ]),
  )
  const resting = new Map<URL, number>()

  /** The response of a mirror; `undefined` if it does not have the content or can't be reached. */
  const ask = async (
    request: Request,
    { base, ns }: ParsedMirror,
  ): Promise<Response | undefined> => {
    if ((resting.get(base) ?? 0) > Date.now()) return undefined
    const from = new URL(request.url)
    const url = new URL(`${base.pathname.replace(/\/$/, '')}${from.pathname}${from.search}`, base)
    if (ns !== undefined) url.searchParams.set('ns', ns)
    const headers = new Headers(request.headers)
    headers.delete('authorization')
    const { method, signal, redirect } = request
    const stop = new AbortController()
    const timer = setTimeout(() => stop.abort(), timeout)
    const both = AbortSignal.any([signal, stop.signal])
    try {
      // Follows redirects here, without credentials: the transport would add those of the registry.
      const { response } = await followRedirects(
        (hop) => send(new Request(hop.url, { ...hop, redirect, signal: both })),
        { method, url, headers },
        { sameOrigin: false },
      )
      if (response.ok) return response
      discard(response)
    } catch {
      signal.throwIfAborted()
      resting.set(base, Date.now() + PAUSE)
    } finally {
      clearTimeout(timer)
    }
    return undefined
  }

  return async (request) => {
    const { host, pathname } = new URL(request.url)
    const list = byHost.get(host)
    if (list === undefined || !pathname.startsWith('/v2/')) return send(request)
    if (request.method !== 'GET' && request.method !== 'HEAD')
      throw new TypeError(
        `${host} has mirrors, which serve pulls only: push without createMirrorFetch`,
      )
    if (CONTENT.test(pathname))
      for (const mirror of list) {
        const response = await ask(request, mirror)
        if (response !== undefined) return response
      }
    return send(request)
  }
}

interface ParsedMirror {
  readonly base: URL
  readonly ns?: string
}

function parseMirror(mirror: string | Mirror, registry: string): ParsedMirror {
  const { url, ns = false } = typeof mirror === 'string' ? { url: mirror } : mirror
  const base = URL.canParse(url) ? new URL(url) : undefined
  if (base === undefined || !/^https?:$/.test(base.protocol) || base.username !== '')
    throw new TypeError(
      `the mirror ${JSON.stringify(url)} of ${registry} must be a URL, as in https://mirror.example`,
    )
  return { base, ...(ns && { ns: registry }) }
}
