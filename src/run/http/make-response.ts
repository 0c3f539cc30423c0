import { SpindleError } from '../../errors.ts'
import { type HeaderPairs, withWire } from '../../http/wire.ts'
import { hasNoBody, isStatus } from './execution.ts'

interface Parts {
  readonly status: number
  /** Validated, without connection-specific fields. */
  readonly headers: HeaderPairs
  readonly body: ReadableStream<Uint8Array> | Uint8Array | null
  readonly trailers?: () => HeaderPairs | undefined
  /** Whether it is the response to a HEAD request. */
  readonly isHead: boolean
}

/** Builds the `Response` of a component. Throws `ERR_TRAP` for an invalid status or content-length. */
export function makeResponse({ status, headers, body, trailers, isHead }: Parts): Response {
  if (!isStatus(status))
    throw new SpindleError('ERR_TRAP', `the component answered with the status ${status}`)
  const bare = isHead || hasNoBody(status)
  // Read and discarded, so that a guest that writes a body for HEAD gets no write error.
  if (bare && body instanceof ReadableStream) void body.pipeTo(new WritableStream()).catch(() => {})
  const sent = withOneLength(headers)
  const response = new Response(bare ? null : (body as BodyInit | null), {
    status,
    headers: sent as [string, string][],
  })
  return withWire(response, { headers: sent, trailers })
}

/** Rejects conflicting `content-length` values, which enable response smuggling; removes repeated ones. */
function withOneLength(headers: HeaderPairs): HeaderPairs {
  const isLength = ([name]: HeaderPairs[number]): boolean => name.toLowerCase() === 'content-length'
  const lengths = new Set(headers.filter(isLength).map(([, value]) => value.trim()))
  if (lengths.size === 0) return headers
  const [length = '', ...others] = lengths
  if (others.length > 0 || !/^\d+$/.test(length))
    throw new SpindleError(
      'ERR_TRAP',
      `the component answered with an invalid content-length ${JSON.stringify([...lengths].join(', ').slice(0, 100))}`,
    )
  const first = headers.findIndex(isLength)
  return headers.filter((header, i) => i === first || !isLength(header))
}
