import { isSpindleError, ResponseError } from '../errors.ts'
import type { Transport, TransportRequest } from '../types.ts'

/**
 * Sends a HEAD request, which saves the body. Its failure proves nothing: registries and proxies
 * refuse the method with various statuses, or close the connection. The caller then sends GET.
 * @returns The response, or the status of a refusal; neither when there was no response.
 * @throws when GET would fail too: a token service that refuses, an untrusted certificate, a
 * `Retry-After` longer than the limit.
 */
export async function sendHead(
  transport: Transport,
  request: TransportRequest,
): Promise<{ readonly response?: Response; readonly status?: number }> {
  const { signal } = request
  try {
    return { response: await transport.fetch({ ...request, method: 'HEAD', once: true }) }
  } catch (error) {
    signal?.throwIfAborted()
    const refused = error instanceof ResponseError ? error : undefined
    if (refused?.method === 'HEAD' && refused.status !== 429 && refused.retryAfter === undefined)
      return { status: refused.status }
    // A redirect that is not followed, such as a loop.
    if (refused === undefined && isSpindleError(error) && error.code === 'ERR_RESPONSE') return {}
    if (!(await transport.again(error, 1, { signal }))) throw error
    return {}
  }
}
