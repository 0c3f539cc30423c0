import { parseHex } from '../../bytes/hex.ts'
import { SignatureInvalid } from '../../errors.ts'
import type { Digest } from '../../types.ts'

export type HashName = 'SHA-256' | 'SHA-384' | 'SHA-512'

/** Digest of an artifact that a bundle is about; also SHA-384, which keys on P-384 sign with. */
export type SubjectDigest = Digest | `sha384:${string}`

/** What a signature covers: bytes, or the digest of bytes that were not given. */
export type Covered = Uint8Array | KnownDigest

export interface KnownDigest {
  readonly hash: HashName
  readonly value: Uint8Array
}

/** @throws `TypeError` for anything but a `SubjectDigest`. */
export function parseSubjectDigest(digest: unknown): KnownDigest {
  const [, bits, hex = ''] =
    (typeof digest === 'string' && /^sha(256|384|512):([0-9a-f]*)$/.exec(digest)) || []
  const value = parseHex(hex)
  if (value === undefined || value.length * 8 !== Number(bits))
    throw new TypeError('`digest` is `sha256:`, `sha384:` or `sha512:` and lower-case hexadecimal')
  return { hash: `SHA-${bits}` as HashName, value }
}

/**
 * @param algorithm As logs and bundles spell it: `sha256` or `SHA2_256`.
 * @throws `SignatureInvalid` `UNSUPPORTED_ALGORITHM`.
 */
export async function hashBy(algorithm: string, data: Covered): Promise<Uint8Array> {
  const [, bits] = /^(?:sha|SHA2_)(256|384|512)$/.exec(algorithm) ?? []
  if (bits === undefined)
    throw new SignatureInvalid('UNSUPPORTED_ALGORITHM', 'hashes are SHA-256, SHA-384 and SHA-512')
  const name = `SHA-${bits}` as HashName
  if (data instanceof Uint8Array) return hash(name, data)
  if (data.hash === name) return data.value
  throw new SignatureInvalid(
    'UNSUPPORTED_ALGORITHM',
    `a ${name} digest of the artifact is needed, not ${data.hash}: hand over that one, or the artifact`,
  )
}

export async function hash(name: HashName, data: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest(name, data as Uint8Array<ArrayBuffer>))
}
