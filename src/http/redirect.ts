import { InvalidResponse } from '../errors.ts'
import { discard } from './response-body.ts'
import { redactUrl } from './redact.ts'

/** Most redirects of one request. Real chains have one or two: to storage, to a region of it. */
export const MAX_HOPS = 5

const REDIRECTS = [301, 302, 303, 307, 308]

/** One request of a chain of redirects. */
export interface Hop {
  readonly method: string
  readonly url: URL
  readonly headers: Headers
}

interface RedirectOptions {
  readonly sameOrigin: boolean
  /** Called before a redirect is followed; can throw to refuse it. */
  readonly onRedirect?: ((from: URL, to: URL) => void) | undefined
}

/**
 * Sends a request and follows redirects itself: `fetch` of older Workers sends `Authorization` to
 * the
 * new origin, Node's can't send a body again, and none refuses a redirect from https to http.
 *
 * Browsers hide redirects and follow them themselves, as safely.
 * @throws `ERR_RESPONSE` for a redirect that must not be followed.
 * @see RFC 9110, 15.4
 */
export async function followRedirects<R extends Response>(
  send: (hop: Hop) => Promise<R>,
  first: Hop,
  { sameOrigin, onRedirect }: RedirectOptions,
): Promise<{ response: R; url: URL }> {
  let hop = first
  for (let hops = 0; ; hops++) {
    const response = await send(hop)
    const location = isRedirect(response) ? response.headers.get('location') : null
    const rewrites = response.status < 304
    if (location === null) return { response, url: hop.url }
    // Only 307 and 308 require the body to be sent again.
    if (rewrites && hop.method !== 'GET' && hop.method !== 'HEAD') return { response, url: hop.url }
    const { url, method } = hop
    const refuse: Refuse = (target, cause) =>
      new InvalidResponse(
        `${redactUrl(url)} redirects to ${target}`,
        { status: response.status, method, url: redactUrl(url) },
        cause === undefined ? {} : { cause },
      )
    const to = resolveRedirect(location, url, refuse)
    if (to.origin !== hop.url.origin && sameOrigin) return { response, url: hop.url }
    discard(response)
    if (hops >= MAX_HOPS) throw refuse(`${shown(to)}, after ${MAX_HOPS} others: not followed`)
    onRedirect?.(hop.url, to)
    const headers = new Headers(hop.headers)
    if (to.origin !== hop.url.origin)
      for (const name of ['authorization', 'cookie', 'proxy-authorization']) headers.delete(name)
    hop = { method: hop.method, url: to, headers }
  }
}

/** Whether a response is a redirect with a location. */
export function isRedirect(response: Response): boolean {
  return REDIRECTS.includes(response.status) && response.headers.has('location')
}

/** @param refuse Creates the error for a target that must not be followed. */
function resolveRedirect(location: string, from: URL, refuse: Refuse): URL {
  let to: URL
  try {
    to = new URL(location, from)
  } catch (cause) {
    throw refuse('an invalid URL', cause)
  }
  // `fetch` refuses URLs with user-info, and credentials of a redirect must not be used.
  to.username = ''
  to.password = ''
  if (to.protocol !== 'https:' && to.protocol !== from.protocol)
    throw refuse(`${shown(to)}, which is not https: not followed`)
  if (to.protocol !== 'https:' && to.protocol !== 'http:')
    throw refuse(`${shown(to)}, which is not an http URL: not followed`)
  return to
}

type Refuse = (target: string, cause?: unknown) => InvalidResponse

function shown(to: URL): string {
  return /^https?:$/.test(to.protocol) ? redactUrl(to) : to.protocol
}
