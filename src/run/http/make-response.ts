import { SpindleError } from '../../errors.ts'
import { type HeaderPairs, withWire } from '../../http/wire.ts'
import { hasNoBody, isStatus } from './execution.ts'

interface Parts {
  readonly status: number
  /** Checked, without those of the connection. */
  readonly headers: HeaderPairs
  readonly body: ReadableStream<Uint8Array> | Uint8Array | null
  readonly trailers?: () => HeaderPairs | undefined
  /** Of an answer to HEAD. */
  readonly isHead: boolean
}

/** What a component answers, as far as `Response` can carry it. Throws `ERR_TRAP` where it can't. */
export function makeResponse({ status, headers, body, trailers, isHead }: Parts): Response {
  if (!isStatus(status))
    throw new SpindleError('ERR_TRAP', `the component answered with the status ${status}`)
  const bare = isHead || hasNoBody(status)
  // Read and thrown away: a guest that writes a body for HEAD is not to see it refused.
  if (bare && body instanceof ReadableStream) void body.pipeTo(new WritableStream()).catch(() => {})
  const sent = withOneLength(headers)
  const response = new Response(bare ? null : (body as BodyInit | null), {
    status,
    headers: sent as [string, string][],
  })
  return withWire(response, { headers: sent, trailers })
}

/** Two lengths would let whoever reads the answer choose where it ends. */
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
