import { SignatureInvalid } from '../errors.ts'
import type { HashName } from './public-key.ts'

/** The spellings of logs and bundles. */
const NAMES: ReadonlyMap<string, HashName> = new Map([
  ['sha256', 'SHA-256'],
  ['sha384', 'SHA-384'],
  ['sha512', 'SHA-512'],
  ['SHA2_256', 'SHA-256'],
  ['SHA2_384', 'SHA-384'],
  ['SHA2_512', 'SHA-512'],
])

/** @throws `SignatureInvalid` `UNSUPPORTED_ALGORITHM`. */
export async function hashBy(
  algorithm: string,
  data: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const name = NAMES.get(algorithm)
  if (name === undefined)
    throw new SignatureInvalid(
      'UNSUPPORTED_ALGORITHM',
      'a hash other than SHA-256, SHA-384 and SHA-512 is named',
    )
  return hash(name, data)
}

export async function hash(name: HashName, data: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest(name, data as Uint8Array<ArrayBuffer>))
}
