import type { ChunkReader, DirectResponse } from '../types.ts'

interface ResponseParts {
  readonly status: number
  readonly statusText: string
  readonly headers: [string, string][]
}

export interface LazyResponse extends DirectResponse {
  readonly reader: () => ChunkReader
  /** All of it, as the platform makes it. */
  readonly whole: Response
}

/**
 * A `Response` of which no more is made than is asked for: with a small blob, `Response`, `Headers`
 * and `ReadableStream` cost more than what comes through them (measured).
 * @param source The body, if there is one.
 */
export function createLazyResponse(
  source: ChunkReader | undefined,
  parts: ResponseParts,
): LazyResponse {
  const { status, statusText } = parts
  let headers: Headers | undefined
  let whole: Response | undefined
  let isTaken = false
  const response: LazyResponse = {
    status,
    statusText,
    ok: status >= 200 && status < 300,
    redirected: false,
    type: 'default',
    url: '',
    reader() {
      if (source === undefined || whole !== undefined || isTaken)
        return (response.body ?? new Blob().stream()).getReader()
      isTaken = true
      return source
    },
    get whole() {
      if (whole !== undefined) return whole
      const stream = source && streamOver(source)
      whole = new Response(stream ?? null, { ...parts, headers: response.headers })
      if (isTaken) stream?.getReader()
      return whole
    },
    get headers() {
      return (headers ??= new Headers(parts.headers))
    },
    get body() {
      return source === undefined ? null : response.whole.body
    },
    get bodyUsed() {
      return isTaken || response.whole.bodyUsed
    },
    clone: () => response.whole.clone(),
    arrayBuffer: () => response.whole.arrayBuffer(),
    blob: () => response.whole.blob(),
    bytes: () => response.whole.bytes(),
    formData: () => response.whole.formData(),
    json: () => response.whole.json(),
    text: () => response.whole.text(),
  }
  // For `instanceof`: all that the prototype has is here.
  return Object.setPrototypeOf(response, Response.prototype)
}

function streamOver(source: ChunkReader): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await source.read()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: (reason) => source.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}
