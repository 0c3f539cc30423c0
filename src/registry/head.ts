import { isSpindleError, ResponseError } from '../errors.ts'
import type { Transport, TransportRequest } from '../types.ts'

/**
 * Sends a HEAD, which saves a body and proves nothing when it fails: registries and proxies refuse
 * the method with all kinds of statuses, or break the connection. GET decides then.
 * @returns The response, or the status of a refusal; neither when there was no answer.
 * @throws where GET would fare the same: for a token service that refuses, a certificate, a server
 * that wants to be left alone for longer than is waited.
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
    // A redirect that is not followed, as of a loop.
    if (refused === undefined && isSpindleError(error) && error.code === 'ERR_RESPONSE') return {}
    if (!(await transport.again(error, 1, { signal }))) throw error
    return {}
  }
}
