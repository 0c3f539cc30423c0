/** `spindle/verify-digest`: signatures over a digest, without the content. */
import { eddsa } from '@noble/curves/abstract/edwards.js'
import { ed25519 } from '@noble/curves/ed25519.js'
import { p256, p384, p521 } from '@noble/curves/nist.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { derBits, derMembers } from '../../bytes/der.ts'
import { concat } from '../../bytes/stream.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import { parsePublicKey, type DigestSignature, type DigestVerifier } from './public-key.ts'
import { verifyRsaDigest } from './rsa-digest.ts'

export type { HashName } from './hash.ts'
export type { DigestSignature, DigestVerifier } from './public-key.ts'

const CURVES = { 'P-256': p256, 'P-384': p384, 'P-521': p521 } as const

/** RFC 8032, 5.1: dom2 with the flag of Ed25519ph, in front of what is hashed. */
const DOMAIN = encodeUtf8('SigEd25519 no Ed25519 collisions')
const ed25519ph = eddsa(ed25519.Point, sha512, {
  domain: (data: Uint8Array, context: Uint8Array) =>
    concat([DOMAIN, Uint8Array.of(1, context.length), context, data]),
  // The digest is given.
  prehash: (digest: Uint8Array) => digest,
  zip215: false,
})

/**
 * Verifies a signature over a digest: ECDSA on P-256, P-384 and P-521, RSASSA-PKCS1-v1_5, and Ed25519ph.
 * An option of `verifyBundle`; WebCrypto only verifies over content.
 *
 * Exported from `spindle/verify-digest`. As strict as WebCrypto: ECDSA with either value of `s`, keys
 * on their curve, an exact RSA encoding, no Ed25519 points of small order.
 *
 * @example A bundle over a large file whose digest is known
 * ```ts
 * const { seen } = await verifyBundle(bundleJson, { digest }, policy, { verifyDigest })
 * // seen: 'digest'
 * ```
 * @returns `false` for any signature that this key did not make over this digest.
 * @throws `ERR_CONTENT_INVALID` and `ERR_UNSUPPORTED` for the key.
 */
export const verifyDigest: DigestVerifier = (request: DigestSignature): boolean => {
  const { algorithm, publicKey, signature, hash, digest } = request
  // Refuses what is no key, and RSA keys of a size that is not verified over content either.
  parsePublicKey(publicKey)
  const key = derBits(derMembers(publicKey)[1])
  switch (algorithm) {
    case 'RSASSA-PKCS1-v1_5':
      return verifyRsaDigest(key, signature, hash, digest)
    case 'Ed25519ph':
      return verifyEd25519ph(key, signature, digest)
    default:
      return (
        signature.length === CURVES[algorithm].lengths.signature &&
        CURVES[algorithm].verify(signature, digest, key, { prehash: false, lowS: false })
      )
  }
}

/**
 * The library verifies with the cofactor, engines without it: both agree where neither point has a
 * part of small order, which honest signers' points never have.
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
    // What is no point.
    return false
  }
}
