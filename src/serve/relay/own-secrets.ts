import { decodeUtf8Lossy, encodeUtf8 } from '../../bytes/text.ts'
import { readBounded } from '../../bytes/stream.ts'
import type { Secrets } from '../../http/secrets.ts'

/** Largest error response that is forwarded; typical ones have a few hundred bytes. */
const MAX_REFUSAL_BYTES = 64 * 1024

/**
 * Removes the relay's own secrets from a response: a registry can echo them in headers or in the body of an
 * error. An error body that is larger than 64 KiB or does not arrive in time is dropped. Other bodies are
 * content with a digest and are not changed.
 * @param idle Milliseconds to wait for the body of an error.
 */
export async function withoutOwnSecrets(
  response: Response,
  { redact, redactAmongOthers }: Secrets,
  signal: AbortSignal,
  idle: number,
): Promise<Response> {
  const { status, body } = response
  const headers = new Headers(response.headers)
  // Header values cannot contain the ellipsis character.
  for (const [name, value] of response.headers)
    headers.set(name, redactAmongOthers(value).replaceAll('…', '...'))
  if (status < 400 || body === null) return new Response(body, { status, headers })
  // They describe the body before redaction.
  headers.delete('content-length')
  headers.delete('content-encoding')
  const both = AbortSignal.any([signal, AbortSignal.timeout(idle)])
  const bytes = await readBounded(body, MAX_REFUSAL_BYTES, 'the refusal', both).catch(() => {
    signal.throwIfAborted()
    return new Uint8Array()
  })
  return new Response(encodeUtf8(redact(decodeUtf8Lossy(bytes))), { status, headers })
}
