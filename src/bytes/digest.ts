import { sha256, sha512 } from '@noble/hashes/sha2.js'
import type { CreateHasher, Digest, DigestAlgorithm, Hasher } from '../types.ts'
import { formatHex } from './hex.ts'

const BYTES: Readonly<Record<DigestAlgorithm, number>> = { sha256: 32, sha512: 64 }
const WEB_NAME: Readonly<Record<DigestAlgorithm, string>> = { sha256: 'SHA-256', sha512: 'SHA-512' }

/** Up to this size content is collected and hashed by WebCrypto in one go; above it, streamed. */
export const COLLECT_BYTES: number = 64 * 1024 * 1024

/** Only the two registered algorithms, lower case. @see OCI Image Spec 1.1, Digests */
export function isDigest(value: unknown): value is Digest {
  return typeof value === 'string' && /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(value)
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256'
}

/** The digest without its algorithm. */
export function hexOf(digest: Digest): string {
  return digest.slice(7)
}

export function formatDigest(algorithm: DigestAlgorithm, raw: Uint8Array): Digest {
  if (raw.length !== BYTES[algorithm])
    throw new TypeError(`a ${algorithm} digest does not have ${raw.length} bytes`)
  return `${algorithm}:${formatHex(raw)}`
}

/** Digest of bytes in hand, by WebCrypto: native everywhere. */
export async function digestOf(
  bytes: Uint8Array,
  algorithm: DigestAlgorithm = 'sha256',
): Promise<Digest> {
  return formatDigest(algorithm, await rawDigestOf(bytes, algorithm))
}

/**
 * As `digestOf`, by a hasher of the caller's. A native one is twice as fast as WebCrypto, which
 * copies all it hashes and takes half a millisecond to begin (measured in Node).
 * @param createHasher Default: WebCrypto.
 */
export async function digestBy(
  createHasher: CreateHasher | undefined,
  bytes: Uint8Array,
  algorithm: DigestAlgorithm = 'sha256',
): Promise<Digest> {
  const hasher = createHasher?.(algorithm)
  await hasher?.update(bytes)
  return hasher === undefined
    ? digestOf(bytes, algorithm)
    : formatDigest(algorithm, await hasher.digest())
}

export async function rawDigestOf(
  bytes: Uint8Array,
  algorithm: DigestAlgorithm = 'sha256',
): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(
    await crypto.subtle.digest(WEB_NAME[algorithm], bytes as Uint8Array<ArrayBuffer>),
  )
}

/** The portable hasher: streams with 70–170 MiB/s (measured, sha256), a tenth of a native one. */
export const createPortableHasher: CreateHasher = (algorithm: DigestAlgorithm): Hasher => {
  const hash = algorithm === 'sha512' ? sha512.create() : sha256.create()
  return {
    update: (bytes) => {
      hash.update(bytes)
    },
    digest: () => hash.digest(),
  }
}

/** The constructor that workerd has as `crypto.DigestStream`. */
export interface DigestStreamConstructor {
  new (algorithm: string): WritableStream<Uint8Array> & { readonly digest: Promise<ArrayBuffer> }
}

/**
 * A native streaming hasher for Cloudflare Workers.
 *
 * Exported from the main entry point and `spindle/store`.
 *
 * @example Hash large layers natively at the edge
 * ```ts
 * await pull(ref, { createHasher: createDigestStreamHasher(crypto.DigestStream) })
 * ```
 * @see https://developers.cloudflare.com/workers/runtime-apis/web-crypto/#constructors
 */
export function createDigestStreamHasher(DigestStream: DigestStreamConstructor): CreateHasher {
  return (algorithm) => {
    const stream = new DigestStream(WEB_NAME[algorithm])
    const writer = stream.getWriter()
    return {
      update: (bytes) => writer.write(bytes),
      digest: async () => {
        await writer.close()
        return new Uint8Array(await stream.digest)
      },
    }
  }
}
