import { readExactly } from '../../bytes/stream.ts'

/** Up to this size a body is sent as bytes: cheaper than a stream, and of known length everywhere. */
const WHOLE_BYTES = 256 * 1024

interface FixedLengthStreamConstructor {
  new (length: number): {
    readonly readable: ReadableStream<Uint8Array>
    readonly writable: WritableStream<Uint8Array>
  }
}

/**
 * An answer with a body of known length.
 *
 * Workers send any stream chunked, whatever the headers say, unless it comes out of their
 * `FixedLengthStream`; pulls without `Content-Length` fail in some clients.
 */
export async function answerBytes(
  body: ReadableStream<Uint8Array>,
  length: number,
  init: { readonly status: number; readonly headers: Headers },
): Promise<Response> {
  init.headers.set('Content-Length', String(length))
  if (length <= WHOLE_BYTES)
    return new Response(await readExactly(body, length, 'the stored value'), init)
  const { FixedLengthStream } = globalThis as { FixedLengthStream?: FixedLengthStreamConstructor }
  if (FixedLengthStream === undefined) return new Response(body, init)
  const { readable, writable } = new FixedLengthStream(length)
  // A client that leaves errors the pipe; the response is lost then, and nobody is left to tell.
  body.pipeTo(writable).catch(() => {})
  return new Response(readable, init)
}

/** JSON that is complete in memory. `HEAD` gets the same headers and no body from the handler. */
export function answerJson(
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const bytes = new TextEncoder().encode(JSON.stringify(value))
  return new Response(bytes, {
    status: 200,
    headers: {
      'Content-Type': 'application/json',
      'Content-Length': String(bytes.length),
      ...headers,
    },
  })
}

export function answerEmpty(
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(null, {
    status,
    headers: status === 204 ? headers : { 'Content-Length': '0', ...headers },
  })
}
