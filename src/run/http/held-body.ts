import { withBody } from '../../http/wire.ts'
import type { Ledger } from '../budget.ts'

/**
 * A response whose body is all there. Another component may take its time to read it, so that it is
 * paid for until it has, or wants no more.
 */
export function holdBody(response: Response, bytes: number, ledger: Ledger): Response {
  if (response.body === null) return response
  const reader = response.body.getReader()
  ledger.charge(bytes)
  let left = bytes
  const settle = (): void => {
    ledger.release(left)
    left = 0
  }
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const { done, value } = await reader.read()
        if (!done) return controller.enqueue(value)
        settle()
        controller.close()
      },
      cancel(reason) {
        settle()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
  return withBody(response, body)
}
