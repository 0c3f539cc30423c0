import { SpindleError } from '../errors.ts'

/** Codings that some `fetch` removes; `x-gzip` is an old name. @see RFC 9110, 8.4.1 */
const KNOWN: ReadonlySet<string> = new Set(['gzip', 'x-gzip', 'deflate', 'br', 'zstd'])

/**
 * The codings of a response's body, in the order in which they were applied. `fetch` removes them
 * from the body but not from the header. None is ever asked for: proxies on the way add them.
 */
export function contentCodings({ headers }: Pick<Response, 'headers'>): readonly string[] {
  return (headers.get('content-encoding') ?? '')
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity')
}

/** The length of a body as `fetch` hands it on, where `Content-Length` tells: it counts coded bytes. */
export function bodyLength(response: Pick<Response, 'headers'>): number | undefined {
  const length = response.headers.get('content-length') ?? ''
  return /^\d{1,15}$/.test(length) && contentCodings(response).length === 0
    ? Number(length)
    : undefined
}

/** The error for a response with a coding that no `fetch` removes. `what` names it in messages. */
export function unknownCoding(
  response: Pick<Response, 'headers'>,
  what: string,
): SpindleError | undefined {
  const unknown = contentCodings(response).find((coding) => !KNOWN.has(coding))
  return unknown === undefined ? undefined : codingError(unknown, what)
}

export function codingError(coding: string, what: string): SpindleError {
  return new SpindleError(
    'ERR_UNSUPPORTED',
    `${what} came in the content coding ${JSON.stringify(coding.slice(0, 40))}, which was not asked for and can't be removed: have the server, or the proxy before it, send it without`,
  )
}
