import { readExactly } from '../../bytes/stream.ts'

/** Up to this size a body is buffered: cheaper than a stream, and with known length on every platform. */
const WHOLE_BYTES = 256 * 1024

interface FixedLengthStreamConstructor {
  new (length: number): {
    readonly readable: ReadableStream<Uint8Array>
    readonly writable: WritableStream<Uint8Array>
  }
}

/**
 * Responds with a body of known length.
 *
 * Cloudflare Workers use chunked encoding for every stream except a `FixedLengthStream`, regardless of the
 * headers; some clients fail without `Content-Length`.
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
  // A disconnecting client errors the pipe; there is no response left to report it in.
  body.pipeTo(writable).catch(() => {})
  return new Response(readable, init)
}

/** Responds with JSON. For `HEAD`, the handler removes the body. */
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

/** Responds without a body. */
export function answerEmpty(
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(null, {
    status,
    headers: status === 204 ? headers : { 'Content-Length': '0', ...headers },
  })
}
