import { SpindleError } from '../errors.ts'

/** Codings that every `fetch` removes; `x-gzip` is an old name. @see RFC 9110, 8.4.1 */
const REMOVED: ReadonlySet<string> = new Set(['gzip', 'x-gzip', 'deflate', 'br'])
/** Codings that some `fetch` removes. */
const KNOWN: ReadonlySet<string> = new Set([...REMOVED, 'zstd'])

/**
 * Values that mean no coding. `aws-chunked` is a coding of uploads: stores like S3 keep the name
 * and
 * return the object without it.
 */
const NONE: ReadonlySet<string> = new Set([
  '',
  'identity',
  'none',
  'binary',
  'utf-8',
  'aws-chunked',
])

/** The first bytes of a body in a coding. @see RFC 1952, 2.3.1; RFC 8878, 3.1.1 */
const MAGIC: Readonly<Record<string, readonly number[]>> = {
  gzip: [0x1f, 0x8b],
  'x-gzip': [0x1f, 0x8b],
  zstd: [0x28, 0xb5, 0x2f, 0xfd],
}

/**
 * The codings of a response's body, in the order in which they were applied. `fetch` removes them
 * from the body but not from the header. None is ever requested: proxies add them.
 */
export function contentCodings(response: Pick<Response, 'headers'>): readonly string[] {
  return namesOf(response).filter((coding) => !NONE.has(coding))
}

function namesOf({ headers }: Pick<Response, 'headers'>): readonly string[] {
  return (headers.get('content-encoding') ?? '')
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
}

/**
 * The length of a body as `fetch` returns it; `undefined` if there is a coding, as `Content-Length`
 * counts coded bytes.
 */
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

/**
 * A response whose body errors if it is still coded: a `fetch` that does not support one of the
 * codings, as Node's does not support zstd, removes none.
 *
 * @param what Names it in messages.
 */
export function withoutCoding(response: Response, what: string): Response {
  const outermost = contentCodings(response).at(-1)
  const magic = MAGIC[outermost ?? '']
  const isRemoved = namesOf(response).every((coding) => REMOVED.has(coding))
  if (outermost === undefined || magic === undefined || isRemoved || response.body === null)
    return response
  let start: number[] | undefined = []
  const check = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      if (start !== undefined) {
        start.push(...chunk.subarray(0, magic.length - start.length))
        if (magic.every((byte, at) => byte === start![at])) throw codingError(outermost, what)
        if (start.length === magic.length) start = undefined
      }
      controller.enqueue(chunk)
    },
  })
  const checked = new Response(response.body.pipeThrough(check), response)
  const { redirected, url } = response
  return Object.defineProperties(checked, {
    redirected: { value: redirected },
    url: { value: url },
  })
}

/** The error for a body in an unsupported content coding. */
export function codingError(coding: string, what: string): SpindleError {
  return new SpindleError(
    'ERR_UNSUPPORTED',
    `${what} came in the content coding ${JSON.stringify(coding.slice(0, 40))}, which was not requested and is not supported: configure the server, or the proxy before it, to send it without`,
  )
}
