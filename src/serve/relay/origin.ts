import { EXPOSED_HEADERS } from '../http/cors.ts'
import { Refusal } from '../http/refusal.ts'

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE'
const REQUEST_HEADERS =
  'Accept, Authorization, Content-Type, Content-Range, Range, If-Match, If-None-Match, If-Range, Relay-Authorization'
/** In seconds. Browsers cap it themselves. */
const MAX_AGE = 7200

/**
 * Which pages may use a relay, told by what browsers say of them and scripts can't.
 *
 * No cookies are ever allowed, and a page that is not named is refused before anything is sent.
 */
interface OriginPolicy {
  /** @throws 403 for a page that may not. */
  readonly admit: (request: Request, url: URL) => void
  /** The answer to a preflight, or `undefined` when the request isn't one. */
  readonly preflight: (request: Request) => Response | undefined
  /** Lets the page that asked read the answer. */
  readonly expose: (headers: Headers, request: Request) => void
}

export function createOriginPolicy(origins: readonly string[]): OriginPolicy {
  for (const origin of origins)
    if (!URL.canParse(origin) || new URL(origin).origin !== origin || origin.includes('*'))
      throw new TypeError(
        `"origins" has ${JSON.stringify(origin)}, which is no origin: write it as https://app.example`,
      )
  const hosts = new Set(origins.map((origin) => new URL(origin).host))
  const isAllowed = (origin: string | null): origin is string =>
    origin !== null && origins.includes(origin)

  const expose = (headers: Headers, request: Request): void => {
    // Whoever uses the browser next has another secret, and must not find what the last one was let read.
    headers.append('Vary', 'Origin, Authorization, Relay-Authorization')
    const origin = request.headers.get('Origin')
    if (!isAllowed(origin)) return
    headers.set('Access-Control-Allow-Origin', origin)
    headers.set('Access-Control-Expose-Headers', EXPOSED_HEADERS.join(', '))
  }

  return {
    admit(request, url) {
      const origin = request.headers.get('Origin')
      if (origin !== null && !isAllowed(origin)) throw foreign()
      // An address that somebody follows would show what is behind it.
      if (request.headers.get('Sec-Fetch-Mode') === 'navigate') throw foreign()
      if (origin !== null) return
      // Reads of a page's own origin come without `Origin`, and so do images and scripts of others.
      const site = request.headers.get('Sec-Fetch-Site')
      if (site === null) return
      // By name: a name of somebody else's may have been made to lead here.
      if (site !== 'same-origin' || !hosts.has(url.host)) throw foreign()
    },
    preflight(request) {
      if (request.method !== 'OPTIONS') return undefined
      const headers = new Headers({ Allow: `${METHODS}, OPTIONS` })
      const allowed = isAllowed(request.headers.get('Origin'))
      if (allowed) {
        headers.set('Access-Control-Allow-Methods', METHODS)
        headers.set('Access-Control-Allow-Headers', REQUEST_HEADERS)
        headers.set('Access-Control-Max-Age', String(MAX_AGE))
      }
      expose(headers, request)
      return new Response(null, { status: allowed ? 204 : 403, headers })
    },
    expose,
  }
}

function foreign(): Refusal {
  return new Refusal(403, {
    code: 'DENIED',
    message: 'this relay is not for that page: its operator names the origins of those it is for',
  })
}
