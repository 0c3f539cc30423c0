import { watchStream } from './stream.ts'

/**
 * A request's body, `null` where there is none. Firefox has no `Request.body`: there it is read
 * whole, once its first byte is asked for.
 */
export function bodyOf(request: Request): ReadableStream<Uint8Array> | null {
  const body = request.body as ReadableStream<Uint8Array> | null | undefined
  if (body !== undefined) return body
  if (request.method === 'GET' || request.method === 'HEAD') return null
  return watchStream(async () => (await request.blob()).stream(), {})
}

/** What a request can be made of here: Firefox makes text of a stream, so there it is read whole. */
export async function bodyFor(
  stream: ReadableStream<Uint8Array>,
): Promise<ReadableStream<Uint8Array> | Blob> {
  return takesStreams()
    ? stream
    : new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).blob()
}

/** Text has a type, a stream has none. */
export function takesStreams(): boolean {
  const init = { method: 'POST', body: new ReadableStream(), duplex: 'half' }
  return !new Request('http://localhost/', init as RequestInit).headers.has('content-type')
}
