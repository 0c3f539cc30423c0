import { inTime } from '../bytes/abort.ts'
import { type Remedy, SpindleError } from '../errors.ts'
import { readBounded } from '../bytes/stream.ts'
import type { Transport, TransportRequest } from '../types.ts'
import { withRetries } from './retry.ts'
import { MIN_TRANSFER_RATE } from './timing.ts'

/** Milliseconds that any body can take: the transport's timeout for headers. */
const MIN_TIME = 30_000

/**
 * Buffers the body of a response, bounded in size, and in time in proportion to the size; `what`
 * names it in messages.
 * @throws `ERR_NETWORK` when the connection breaks, `ERR_TIMEOUT`, `ERR_LIMIT_EXCEEDED`
 */
export async function readBody(
  response: Response,
  limit: number,
  what: string,
  signal?: AbortSignal,
  announced: number = limit,
  remedy?: Remedy,
): Promise<Uint8Array<ArrayBuffer>> {
  const deadline = {
    milliseconds: MIN_TIME + announced / MIN_TRANSFER_RATE,
    error: () => new SpindleError('ERR_TIMEOUT', `${what} was not complete in time; try again`),
  }
  const body = response.body ?? new Uint8Array()
  try {
    return await inTime({ signal, deadline }, (both) =>
      readBounded(body, limit, what, both, remedy),
    )
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof SpindleError) throw cause
    throw new SpindleError('ERR_NETWORK', `${what} was interrupted; try again`, { cause })
  }
}

/**
 * Sends a request and buffers the body of the response. Retries an interrupted body like a failed
 * request.
 */
export async function fetchBuffered(
  transport: Transport,
  request: TransportRequest,
  limit: number,
  what: string,
): Promise<{ readonly response: Response; readonly bytes: Uint8Array<ArrayBuffer> }> {
  const { signal } = request
  return withRetries(transport, { signal }, async () => {
    const response = await transport.fetch(request)
    return { response, bytes: await readBody(response, limit, what, signal) }
  })
}

/** Cancels a body that is not read: it would keep its connection busy. */
export function discard(response: Response | undefined): void {
  void response?.body?.cancel().catch(() => {})
}
