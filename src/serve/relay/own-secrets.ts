import { decodeUtf8Lossy, encodeUtf8 } from '../../bytes/text.ts'
import { readBounded } from '../../bytes/stream.ts'
import type { Secrets } from '../../http/secrets.ts'

/** Longest refusal that is handed on; real ones have some hundred bytes. */
const MAX_REFUSAL_BYTES = 64 * 1024

/**
 * A registry's answer to a request that the relay proved with credentials of its own, as a client may
 * see it: a registry may repeat what it was sent, and the client must not learn it. Of a refusal the
 * body is cleaned too; one that is longer than 64 KiB, or does not come, is left out. Content is
 * checked by its digest and handed on as it is.
 * @param idle Milliseconds that the body is waited for.
 */
export async function withoutOwnSecrets(
  response: Response,
  { redact, redactAmongOthers }: Secrets,
  signal: AbortSignal,
  idle: number,
): Promise<Response> {
  const { status, body } = response
  const headers = new Headers(response.headers)
  // The ellipsis is no character of a header.
  for (const [name, value] of response.headers)
    headers.set(name, redactAmongOthers(value).replaceAll('…', '...'))
  if (status < 400 || body === null) return new Response(body, { status, headers })
  // Of the body as it was.
  headers.delete('content-length')
  headers.delete('content-encoding')
  const both = AbortSignal.any([signal, AbortSignal.timeout(idle)])
  const bytes = await readBounded(body, MAX_REFUSAL_BYTES, 'the refusal', both).catch(() => {
    signal.throwIfAborted()
    return new Uint8Array()
  })
  return new Response(encodeUtf8(redact(decodeUtf8Lossy(bytes))), { status, headers })
}
