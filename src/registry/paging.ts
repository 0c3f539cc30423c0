import { InvalidResponse, SpindleError } from '../errors.ts'
import { redactUrl } from '../http/redact.ts'

/** A page has at least one entry; a list of more pages is one that never ends. */
export const MAX_PAGES = 1000

/**
 * The next page's URL out of a `Link` header, also written without `<>`, as Cloudflare's registry
 * does. On the same origin only: the registry's token goes with the request.
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
    // A proxy that forgets https does not make the next page another server's.
    if (next.hostname === from.hostname && from.protocol === 'https:') next.protocol = 'https:'
    if (next.origin === from.origin && next.username === '' && next.password === '') return next
    throw new InvalidResponse(
      `${from.host} says that its list goes on at ${next.host}: not followed`,
      { status: response.status, method: 'GET', url: redactUrl(from) },
    )
  }
  return undefined
}

/** A page of a list, as it came. */
export interface Page {
  readonly response: Response
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Walks the pages of a list, each once. */
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
