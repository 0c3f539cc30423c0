import { SpindleError } from '../../../errors.ts'
import type { HostInterface } from '../../component/abi/items.ts'

// Bytes that one call of `getRandomValues` can fill.
const QUOTA = 65_536
// Bytes per call of a guest.
const MAX_BYTES = 16 * 1024 * 1024

export function randomBytes(length: bigint | number): Uint8Array {
  if (length > MAX_BYTES) {
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `component asks for ${length} random bytes, more than ${MAX_BYTES} at once`,
    )
  }
  const bytes = new Uint8Array(Number(length))
  for (let at = 0; at < bytes.length; at += QUOTA)
    crypto.getRandomValues(bytes.subarray(at, at + QUOTA))
  return bytes
}

function randomU64(): bigint {
  return crypto.getRandomValues(new BigUint64Array(1))[0] as bigint
}

export const random: HostInterface = {
  functions: { 'get-random-bytes': randomBytes, 'get-random-u64': randomU64 },
}

/** Same source as `random`: guests use it to seed hash maps. */
export const insecureRandom: HostInterface = {
  functions: { 'get-insecure-random-bytes': randomBytes, 'get-insecure-random-u64': randomU64 },
}

export const insecureSeed: HostInterface = {
  functions: { 'insecure-seed': () => [randomU64(), randomU64()] },
}
