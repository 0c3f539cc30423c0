import { bodyFor } from '../../bytes/request-body.ts'
import { isStream } from '../../bytes/stream.ts'
import { SpindleError } from '../../errors.ts'
import { discard } from '../../http/response-body.ts'
import { MIN_TRANSFER_RATE } from '../../http/timing.ts'
import { MAX_HOPS } from '../../http/redirect.ts'
import type { FetchLike } from '../../types.ts'
import { Refusal } from '../http/refusal.ts'
import { hasFixedLength } from './body.ts'
import { assertReachable, unreachable } from './registries.ts'
import type { RelayRegistry, ResolveHost } from './registries.ts'

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
/** Up to this many bytes a body may be kept by the platform for a redirect; larger ones go straight. */
const DIRECT_BYTES = 8 * 1024 * 1024

interface UpstreamRequest {
  readonly registry: RelayRegistry
  readonly method: string
  readonly url: URL
  /** Where all paths of the relay begin: sent back to itself, it would ask itself without end. */
  readonly self?: string
  readonly headers: Headers
  readonly body?: ReadableStream<Uint8Array> | Uint8Array
  /** Bytes of the body, if they are known. */
  readonly length?: number
  /** A redirect to another origin is refused. */
  readonly sameOrigin?: boolean
  readonly signal?: AbortSignal
}

/** Sends to registries and whom they name, and to nobody else. */
export type SendUpstream = (request: UpstreamRequest) => Promise<{ response: Response; url: URL }>

interface UpstreamOptions {
  readonly fetch: FetchLike
  /** Milliseconds until the headers of an answer. */
  readonly timeout: number
  readonly resolveHost: ResolveHost | undefined
}

/** Reads are followed to where they lead, five hops at most; each hop is checked, none takes `Authorization` along. */
export function createUpstream({ fetch, timeout, resolveHost }: UpstreamOptions): SendUpstream {
  return async (request) => {
    const { registry, method } = request
    let url = request.url
    const headers = new Headers(request.headers)
    for (let hops = 0; ; hops++) {
      if (request.self !== undefined && url.href.startsWith(request.self))
        throw refuse(registry, 'leads back to this relay')
      await assertReachable(url, registry, resolveHost)
      const response = await exchange(fetch, timeout, { ...request, url, headers })
      const location = response.headers.get('location')
      const isRead = method === 'GET' || method === 'HEAD'
      if (!REDIRECTS.has(response.status) || location === null || !isRead) return { response, url }
      discard(response)
      if (!URL.canParse(location, url.href)) throw refuse(registry, 'redirects to no address')
      if (hops >= MAX_HOPS) throw refuse(registry, `redirects more than ${MAX_HOPS} times`)
      const to = new URL(location, url)
      if (to.origin !== url.origin) {
        if (request.sameOrigin === true) throw refuse(registry, 'redirects to somewhere else')
        headers.delete('authorization')
      }
      url = to
    }
  }
}

async function exchange(
  fetch: FetchLike,
  timeout: number,
  { registry, method, url, headers, body, length, signal }: UpstreamRequest,
): Promise<Response> {
  const streams = isStream(body)
  const sent = streams ? await bodyFor(body) : body
  const stop = new AbortController()
  const late = new SpindleError('ERR_TIMEOUT', `${registry.name} did not answer in time`)
  const timer = setTimeout(() => stop.abort(late), timeout + (length ?? 0) / MIN_TRANSFER_RATE)
  if (streams && length !== undefined) headers.set('content-length', String(length))
  // Node keeps all that it sends of a stream for a redirect, unless none may come and there is no window.
  const direct = streams && !hasFixedLength && !(length !== undefined && length <= DIRECT_BYTES)
  const init = {
    method,
    headers,
    signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]),
    redirect: direct ? 'error' : 'manual',
    ...(sent !== undefined && { body: sent as ReadableStream<Uint8Array> }),
    ...(isStream(sent) && { duplex: 'half' }),
    ...(direct && { window: null }),
  } as RequestInit
  try {
    return await fetch(new Request(url, init))
  } catch (cause) {
    if (stop.signal.aborted)
      throw new Refusal(504, { code: 'UNSUPPORTED', message: late.message }, { cause: late })
    throw cause instanceof Refusal ? cause : unreachable(registry, cause)
  } finally {
    clearTimeout(timer)
  }
}

function refuse({ name }: RelayRegistry, why: string): Refusal {
  return new Refusal(403, { code: 'DENIED', message: `${name} ${why}: not followed` })
}
