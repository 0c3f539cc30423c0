import { discard } from '../http/response-body.ts'
import { followRedirects } from '../http/redirect.ts'
import { apiHostOf } from '../oci/reference.ts'
import type { FetchLike } from '../types.ts'

/** Milliseconds to wait for a mirror's answer: it is there to be fast. */
const TIMEOUT = 5000
/** Milliseconds for which a mirror that could not be reached is passed over. */
const PAUSE = 30_000

/** What of a registry is content, and the same wherever it comes from. */
const CONTENT = /^\/v2\/.+\/(?:manifests|blobs)\/[^/]+$/

export interface Mirror {
  /** Its origin, and the path below which its `/v2/` is, if any: `https://mirror.example`. */
  readonly url: string
  /** Whether it is a proxy of several registries, which is told by `?ns=` of which. Default false. */
  readonly ns?: boolean
}

export interface MirrorFetchOptions {
  /** Default: the global `fetch`. */
  fetch?: FetchLike
  /** Milliseconds to wait for a mirror's answer. Default 5000. */
  timeout?: number
}

/**
 * A `fetch` that asks mirrors before the registry itself, one after another; what they don't have,
 * the registry is asked for.
 *
 * Exported from the main entry point and `spindle/repository`. It is for pulls: whatever would change a registry rejects, as
 * a mirror says nothing about what the registry has. Only manifests and blobs are asked for there,
 * never signatures' lists or tags, and never with the registry's credentials, also where a mirror
 * redirects to. Bytes are checked as always; which digest a tag has is the mirror's word, so name a
 * digest or verify.
 *
 * @example Through the mirror of one's own network
 * ```ts
 * const fetch = createMirrorFetch({ 'docker.io': ['https://mirror.example'] })
 * const app = await pull('docker.io/team/hello:1', { fetch })
 * ```
 * @param mirrors By registry, as references name it. A mirror is reached over http only if its URL says so.
 * @throws TypeError for what is no address.
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

  /** An answer of a mirror's that is one, or nothing. */
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
      // To its end here, where there is no login: who asked would take one along to the registry itself.
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
        `${host} has mirrors, which are for pulls: push without createMirrorFetch`,
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
      `the mirror ${JSON.stringify(url)} of ${registry} must be an address, as https://mirror.example`,
    )
  return { base, ...(ns && { ns: registry }) }
}
