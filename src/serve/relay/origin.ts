import { EXPOSED_HEADERS } from '../http/cors.ts'
import { Refusal } from '../http/refusal.ts'

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE'
const REQUEST_HEADERS =
  'Accept, Authorization, Content-Type, Content-Range, Range, If-Match, If-None-Match, If-Range, Relay-Authorization'
/** Cache lifetime of preflights in seconds; browsers cap it. */
const MAX_AGE = 7200

/**
 * Restricts a relay to pages of allowed origins, by headers that browsers set and scripts cannot.
 *
 * Never allows cookies. Rejects other pages before sending anything to a registry.
 */
interface OriginPolicy {
  /** @throws 403 for a page that is not allowed. */
  readonly admit: (request: Request, url: URL) => void
  /** Answers a preflight; `undefined` for any other request. */
  readonly preflight: (request: Request) => Response | undefined
  /** Adds the CORS headers that let the page read the response. */
  readonly expose: (headers: Headers, request: Request) => void
}

/** Creates the policy for a list of origins. @throws `TypeError` for an invalid origin. */
export function createOriginPolicy(origins: readonly string[]): OriginPolicy {
  for (const origin of origins)
    if (!URL.canParse(origin) || new URL(origin).origin !== origin || origin.includes('*'))
      throw new TypeError(
        `"origins" contains ${JSON.stringify(origin)}, which is not an origin: write it as https://app.example`,
      )
  const hosts = new Set(origins.map((origin) => new URL(origin).host))
  const isAllowed = (origin: string | null): origin is string =>
    origin !== null && origins.includes(origin)

  const expose = (headers: Headers, request: Request): void => {
    // The browser's cache must not serve a response to a user with another secret.
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
      // Navigations would show registry content as a page.
      if (request.headers.get('Sec-Fetch-Mode') === 'navigate') throw foreign()
      if (origin !== null) return
      // Same-origin reads have no `Origin`, but neither do images and scripts of other sites.
      const site = request.headers.get('Sec-Fetch-Site')
      if (site === null) return
      // Also check the host name, against DNS rebinding.
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
    message: 'this relay does not allow this page: its operator can add the origin to "origins"',
  })
}
