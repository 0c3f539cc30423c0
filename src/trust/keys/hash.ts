import { parseHex } from '../../bytes/hex.ts'
import { SignatureInvalid } from '../../errors.ts'
import type { Digest } from '../../types.ts'

/** Name of a hash function, as WebCrypto spells it. */
export type HashName = 'SHA-256' | 'SHA-384' | 'SHA-512'

/** Digest of a signed artifact. Includes SHA-384, the hash of signatures by P-384 keys. */
export type SubjectDigest = Digest | `sha384:${string}`

/** The signed content: bytes, or only their digest. */
export type Covered = Uint8Array | KnownDigest

/** A digest of content that is not available. */
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
    throw new TypeError(
      '`digest` should be `sha256:`, `sha384:` or `sha512:` followed by lower-case hexadecimal',
    )
  return { hash: `SHA-${bits}` as HashName, value }
}

/**
 * The digest of the content under a named algorithm.
 * @param algorithm Spelling of logs (`sha256`) or bundles (`SHA2_256`).
 * @throws `SignatureInvalid` `UNSUPPORTED_ALGORITHM`.
 */
export async function hashBy(algorithm: string, data: Covered): Promise<Uint8Array> {
  const [, bits] = /^(?:sha|SHA2_)(256|384|512)$/.exec(algorithm) ?? []
  if (bits === undefined)
    throw new SignatureInvalid(
      'UNSUPPORTED_ALGORITHM',
      `the hash algorithm ${algorithm} is not supported (SHA-256, SHA-384 and SHA-512 are)`,
    )
  const name = `SHA-${bits}` as HashName
  if (data instanceof Uint8Array) return hash(name, data)
  if (data.hash === name) return data.value
  throw new SignatureInvalid(
    'UNSUPPORTED_ALGORITHM',
    `the signature needs the ${name} digest of the artifact, not ${data.hash}: pass that digest, or the artifact`,
  )
}

/** Hashes bytes with WebCrypto. */
export async function hash(name: HashName, data: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest(name, data as Uint8Array<ArrayBuffer>))
}
