import { SpindleError } from '../../errors.ts'
import type { StorageBody } from './port.ts'

/** Of a body that is not wanted any more. */
export async function cancelBody(body: StorageBody): Promise<void> {
  if (!(body instanceof Uint8Array) && 'getReader' in body) await body.cancel().catch(() => {})
}

/** Of a body that has not the size it was said to have. */
export function wrongSize(expected: number, actual: number | string): SpindleError {
  return new SpindleError(
    'ERR_DIGEST_MISMATCH',
    `a value of ${expected} bytes was announced, but ${actual} came`,
  )
}
