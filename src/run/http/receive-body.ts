import { createBodyRoom, type ReceivedBody } from '../../http/body-room.ts'
import { takeRequestBody } from '../../http/wire.ts'
import type { Ledger } from '../budget.ts'
import { SpindleError, type PlainErrorCode } from '../../errors.ts'

/** Bytes of one body: it is buffered here and in the guest. */
const MAX_BODY = 64 * 1024 * 1024

/** A request rejected with a status because of the client, not the component. */
export class RefusedRequest extends SpindleError {
  readonly status: number

  constructor(status: number, code: PlainErrorCode, message: string) {
    super(code, message)
    this.status = status
  }
}

/** The error for a slow client while other requests are queued. */
export function slowClient(): RefusedRequest {
  return new RefusedRequest(408, 'ERR_TIMEOUT', 'the client was too slow while others queued')
}

/** Buffers request bodies before their guests are admitted. */
interface Receiver {
  /**
   * Rejects with a `RefusedRequest` for a body that is too long, and for the slowest one when the total
   * is exceeded; with `signal.reason` when aborted. Bodies between components are charged to `ledger`
   * only and never evict others.
   */
  receive(request: Request, signal: AbortSignal, ledger?: Ledger): Promise<ReceivedBody>
}

/** @param limit Bytes of all bodies that are being received or wait for admission. */
export function createReceiver(limit: number): Receiver {
  const room = createBodyRoom(limit, {
    slow: slowClient,
    full: () =>
      new RefusedRequest(
        503,
        'ERR_LIMIT_EXCEEDED',
        `request bodies that wait for their components take more than ${limit} bytes: raise that by the option "maxMemory", at a shell by --max-memory`,
      ),
    long: () =>
      new RefusedRequest(
        413,
        'ERR_LIMIT_EXCEEDED',
        `the request body is longer than ${MAX_BODY} bytes`,
      ),
  })
  return {
    async receive(request, signal, ledger) {
      const body = takeRequestBody(request)
      if (body === null) return { bytes: new Uint8Array(), release() {} }
      return await room.receive(body, MAX_BODY, { signal, payer: ledger })
    },
  }
}
