import { SpindleError, type PlainErrorCode } from '../../errors.ts'

/** A request that its client is answered for: no fault of the component. */
export class RefusedRequest extends SpindleError {
  readonly status: number

  constructor(status: number, code: PlainErrorCode, message: string) {
    super(code, message)
    this.status = status
  }
}

/** For a client that others need not wait for any longer. */
export function slowClient(): RefusedRequest {
  return new RefusedRequest(408, 'ERR_TIMEOUT', 'the client was too slow while others queued')
}
