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
/** Up to this size the platform may buffer a body for a redirect; larger ones are sent without redirects. */
const DIRECT_BYTES = 8 * 1024 * 1024

interface UpstreamRequest {
  readonly registry: RelayRegistry
  readonly method: string
  readonly url: URL
  /** URL prefix of the relay's own paths, to reject redirect loops. */
  readonly self?: string
  readonly headers: Headers
  readonly body?: ReadableStream<Uint8Array> | Uint8Array
  /** Size of the body in bytes, if known. */
  readonly length?: number
  /** Whether to reject redirects to another origin. */
  readonly sameOrigin?: boolean
  readonly signal?: AbortSignal
}

/** Sends a request to a registry. Also returns the URL of the response, after redirects. */
export type SendUpstream = (request: UpstreamRequest) => Promise<{ response: Response; url: URL }>

interface UpstreamOptions {
  readonly fetch: FetchLike
  /** Milliseconds until the headers of the response. */
  readonly timeout: number
  readonly resolveHost: ResolveHost | undefined
}

/**
 * Creates a function that sends requests to registries. Follows redirects of reads, up to five; checks each
 * target, and drops `Authorization` on another origin.
 */
export function createUpstream({ fetch, timeout, resolveHost }: UpstreamOptions): SendUpstream {
  return async (request) => {
    const { registry, method } = request
    let url = request.url
    const headers = new Headers(request.headers)
    for (let hops = 0; ; hops++) {
      if (request.self !== undefined && url.href.startsWith(request.self))
        throw refuse(registry, 'redirects back to this relay')
      await assertReachable(url, registry, resolveHost)
      const response = await exchange(fetch, timeout, { ...request, url, headers })
      const location = response.headers.get('location')
      const isRead = method === 'GET' || method === 'HEAD'
      if (!REDIRECTS.has(response.status) || location === null || !isRead) return { response, url }
      discard(response)
      if (!URL.canParse(location, url.href)) throw refuse(registry, 'redirects to an invalid URL')
      if (hops >= MAX_HOPS) throw refuse(registry, `redirects more than ${MAX_HOPS} times`)
      const to = new URL(location, url)
      if (to.origin !== url.origin) {
        if (request.sameOrigin === true) throw refuse(registry, 'redirects to another origin')
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
  const late = new SpindleError('ERR_TIMEOUT', `${registry.name} did not answer in time: try again`)
  const timer = setTimeout(() => stop.abort(late), timeout + (length ?? 0) / MIN_TRANSFER_RATE)
  if (streams && length !== undefined) headers.set('content-length', String(length))
  // Node buffers a streamed body for redirects, unless redirects are errors and `window` is null.
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
