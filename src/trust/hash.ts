import { SignatureInvalid } from '../errors.ts'
import type { HashName } from './public-key.ts'

/**
 * @param algorithm As logs and bundles spell it: `sha256` or `SHA2_256`.
 * @throws `SignatureInvalid` `UNSUPPORTED_ALGORITHM`.
 */
export async function hashBy(
  algorithm: string,
  data: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const [, bits] = /^(?:sha|SHA2_)(256|384|512)$/.exec(algorithm) ?? []
  if (bits === undefined)
    throw new SignatureInvalid('UNSUPPORTED_ALGORITHM', 'hashes are SHA-256, SHA-384 and SHA-512')
  return hash(`SHA-${bits}` as HashName, data)
}

export async function hash(name: HashName, data: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest(name, data as Uint8Array<ArrayBuffer>))
}
