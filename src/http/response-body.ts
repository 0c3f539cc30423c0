import { inTime } from '../bytes/abort.ts'
import { type Remedy, SpindleError } from '../errors.ts'
import { readBounded } from '../bytes/stream.ts'
import type { Transport, TransportRequest } from '../types.ts'
import { withRetries } from './retry.ts'
import { MIN_TRANSFER_RATE } from './timing.ts'

/** Milliseconds that any body may take; as long as a transport waits for headers. */
const MIN_TIME = 30_000

/**
 * All of an answer's body, bounded in size and in time, as its size warrants; `what` names it in
 * messages.
 * @throws `ERR_NETWORK` when the connection breaks while it comes, `ERR_TIMEOUT`, `ERR_LIMIT_EXCEEDED`
 */
export async function readWhole(
  response: Response,
  limit: number,
  what: string,
  signal?: AbortSignal,
  announced: number = limit,
  remedy?: Remedy,
): Promise<Uint8Array<ArrayBuffer>> {
  const deadline = {
    milliseconds: MIN_TIME + announced / MIN_TRANSFER_RATE,
    error: () => new SpindleError('ERR_TIMEOUT', `${what} did not come to its end; try again`),
  }
  const body = response.body ?? new Uint8Array()
  try {
    return await inTime({ signal, deadline }, (both) =>
      readBounded(body, limit, what, both, remedy),
    )
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof SpindleError) throw cause
    throw new SpindleError('ERR_NETWORK', `${what} broke off on its way; try again`, { cause })
  }
}

/** An answer with all of its body. One that breaks off on its way is asked for again, as one that never came. */
export async function fetchWhole(
  transport: Transport,
  request: TransportRequest,
  limit: number,
  what: string,
): Promise<{ readonly response: Response; readonly bytes: Uint8Array<ArrayBuffer> }> {
  const { signal } = request
  return withRetries(transport, { signal }, async () => {
    const response = await transport.fetch(request)
    return { response, bytes: await readWhole(response, limit, what, signal) }
  })
}

/** Lets go of an answer whose body nobody reads: otherwise it would hold its connection. */
export function discard(response: Response | undefined): void {
  void response?.body?.cancel().catch(() => {})
}
