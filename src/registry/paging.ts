import { InvalidResponse, SpindleError } from '../errors.ts'
import { redactUrl } from '../http/redact.ts'

/** Most pages of one list. A registry could link pages without end. */
export const MAX_PAGES = 1000

/**
 * The URL of the next page from a `Link` header, also without `<>`, as Cloudflare's registry writes
 * it. On the same origin only: the request carries the registry's token.
 * @see RFC 8288; Distribution Spec 1.1, Listing Tags
 */
function nextPage(response: Response, from: URL): URL | undefined {
  const link = response.headers.get('link')
  if (link === null || link.length > 8192) return undefined
  for (const [, bracketed, bare, parameters = ''] of link.matchAll(
    /(?:<([^<>]*)>|([^<>;,\s]+))((?:\s*;\s*[a-z*]+\s*=\s*(?:"[^"]*"|[^\s",;]+))+)/gi,
  )) {
    if (!/;\s*rel\s*=\s*"?(?:[^"]*\s)?next(?:[\s"]|$)/i.test(parameters)) continue
    let next: URL
    try {
      next = new URL(bracketed ?? bare ?? '', from)
    } catch {
      return undefined
    }
    // A registry behind a proxy that terminates TLS writes http: links.
    if (next.hostname === from.hostname && from.protocol === 'https:') next.protocol = 'https:'
    if (next.origin === from.origin && next.username === '' && next.password === '') return next
    throw new InvalidResponse(
      `${from.host} links to the next page of its list on another origin, ${next.host}: not followed`,
      { status: response.status, method: 'GET', url: redactUrl(from) },
    )
  }
  return undefined
}

/** A page of a list, as received. */
export interface Page {
  readonly response: Response
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Reads the pages of a list, each once. `open` returns `undefined` to stop. */
export async function* walkPages(
  first: URL,
  open: (url: URL) => Promise<Page | undefined>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const seen = new Set<string>()
  for (let url: URL | undefined = first; url !== undefined && !seen.has(url.href);) {
    if (seen.size >= MAX_PAGES)
      throw new SpindleError(
        'ERR_LIMIT_EXCEEDED',
        `the list of ${url.host} has more than ${MAX_PAGES} pages`,
      )
    seen.add(url.href)
    const page: Page | undefined = await open(url)
    if (page === undefined) return
    const next = nextPage(page.response, url)
    yield page.bytes
    url = next
  }
}
