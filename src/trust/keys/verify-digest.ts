/** `spindle/verify-digest`: verifies signatures over a digest, without the content. */
import { eddsa } from '@noble/curves/abstract/edwards.js'
import { ed25519 } from '@noble/curves/ed25519.js'
import { p256, p384, p521 } from '@noble/curves/nist.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { derBits, derMembers } from '../../bytes/der.ts'
import { concat } from '../../bytes/stream.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { SpindleError } from '../../errors.ts'
import { parsePublicKey, type DigestSignature, type DigestVerifier } from './public-key.ts'
import { verifyRsaDigest } from './rsa-digest.ts'

export type { HashName } from './hash.ts'
export type { DigestSignature, DigestVerifier } from './public-key.ts'

const CURVES = { 'P-256': p256, 'P-384': p384, 'P-521': p521 } as const

/** RFC 8032, 5.1: the dom2 prefix of the hash input, with the flag of Ed25519ph. */
const DOMAIN = encodeUtf8('SigEd25519 no Ed25519 collisions')
const ed25519ph = eddsa(ed25519.Point, sha512, {
  domain: (data: Uint8Array, context: Uint8Array) =>
    concat([DOMAIN, Uint8Array.of(1, context.length), context, data]),
  // The input is already a digest.
  prehash: (digest: Uint8Array) => digest,
  zip215: false,
})

/**
 * Verifies a signature over a digest: ECDSA on P-256, P-384 and P-521, RSASSA-PKCS1-v1_5, and Ed25519ph.
 * Pass it as the option `verifyDigest` of `verifyBundle`: WebCrypto verifies over content only.
 *
 * Exported from `spindle/verify-digest`. As strict as WebCrypto: accepts low and high `s` in ECDSA,
 * requires keys on their curve and the exact RSA encoding, rejects Ed25519 points of small order.
 *
 * @example A bundle over a large file whose digest is known
 * ```ts
 * const { seen } = await verifyBundle(bundleJson, { digest }, policy, { verifyDigest })
 * // seen: 'digest'
 * ```
 * @returns Whether the signature is valid; `false` for a malformed one too.
 * @throws `ERR_CONTENT_INVALID` for a malformed key; `ERR_UNSUPPORTED` for a key of another algorithm or
 * an RSA key outside the size limits.
 */
export const verifyDigest: DigestVerifier = (request: DigestSignature): boolean => {
  const { algorithm, publicKey, signature, hash, digest } = request
  // Reject malformed keys and RSA keys outside the size limits, as when verifying over content.
  parsePublicKey(publicKey)
  const key = derBits(derMembers(publicKey)[1])
  switch (algorithm) {
    case 'RSASSA-PKCS1-v1_5':
      return verifyRsaDigest(key, signature, hash, digest)
    case 'Ed25519ph':
      return verifyEd25519ph(key, signature, digest)
    default:
      assertPoint(key, algorithm)
      return (
        signature.length === CURVES[algorithm].lengths.signature &&
        CURVES[algorithm].verify(signature, digest, key, { prehash: false, lowS: false })
      )
  }
}

/** Engines differ in when they find out that a key's point is not on its curve. */
function assertPoint(key: Uint8Array, curve: keyof typeof CURVES): void {
  try {
    CURVES[curve].Point.fromBytes(key)
  } catch (cause) {
    throw new SpindleError('ERR_CONTENT_INVALID', `the public key is not on ${curve}`, { cause })
  }
}

/**
 * noble verifies with the cofactor, WebCrypto engines without it. Both agree when neither point has a
 * component of small order, which is the case for every honestly generated signature.
 */
function verifyEd25519ph(key: Uint8Array, signature: Uint8Array, digest: Uint8Array): boolean {
  try {
    return (
      signature.length === 64 &&
      digest.length === 64 &&
      [key, signature.subarray(0, 32)].every((point) =>
        ed25519.Point.fromBytes(point, false).isTorsionFree(),
      ) &&
      ed25519ph.verify(signature, digest, key)
    )
  } catch {
    // Not a point on the curve.
    return false
  }
}
