import { derIntegerBytes, derMembers, sameBytes } from '../../bytes/der.ts'
import { formatHex, parseHex } from '../../bytes/hex.ts'
import { concat } from '../../bytes/stream.ts'
import type { HashName } from './hash.ts'

/** DER prefix of DigestInfo, without the digest. RFC 8017, 9.2, note 1 */
const DIGEST_INFO: Readonly<Record<HashName, string>> = {
  'SHA-256': '3031300d060960864801650304020105000420',
  'SHA-384': '3041300d060960864801650304020205000430',
  'SHA-512': '3051300d060960864801650304020305000440',
}

/** Largest public exponent, as in BoringSSL: verification takes one multiplication per bit. */
const MAX_EXPONENT: bigint = (1n << 33n) - 1n

/**
 * Verifies RSASSA-PKCS1-v1_5 over a digest. Compares the encoded message with the only valid one, so
 * that no padding is parsed.
 *
 * Not constant-time: all inputs are public.
 * @param key DER RSAPublicKey.
 * @see https://www.rfc-editor.org/rfc/rfc8017#section-8.2.2
 */
export function verifyRsaDigest(
  key: Uint8Array,
  signature: Uint8Array,
  hash: HashName,
  digest: Uint8Array,
): boolean {
  const [modulusBytes, exponentBytes, surplus] = derMembers(key).map(derIntegerBytes)
  if (modulusBytes === undefined || exponentBytes === undefined || surplus !== undefined)
    return false
  const modulus = integerOf(modulusBytes)
  const exponent = integerOf(exponentBytes)
  const length = Math.ceil(modulus.toString(2).length / 8)
  const representative = integerOf(signature)
  if (
    exponent < 3n ||
    exponent > MAX_EXPONENT ||
    exponent % 2n === 0n ||
    signature.length !== length ||
    representative >= modulus
  )
    return false
  const encoded = bytesOf(power(representative, exponent, modulus), length)
  const info = concat([parseHex(DIGEST_INFO[hash])!, digest])
  const padding = new Uint8Array(length - 3 - info.length).fill(0xff)
  return sameBytes(encoded, concat([Uint8Array.of(0, 1), padding, Uint8Array.of(0), info]))
}

function integerOf(bytes: Uint8Array): bigint {
  return BigInt(`0x0${formatHex(bytes)}`)
}

function bytesOf(value: bigint, length: number): Uint8Array {
  return parseHex(value.toString(16).padStart(length * 2, '0'))!
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  let square = base
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}
