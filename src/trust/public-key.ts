/** Public keys: from SPKI, PKCS#1, PEM or `CryptoKey` to something that verifies. */
import {
  derBits,
  derChildren,
  derIntegerBytes,
  derOid,
  DER_NULL,
  DER_SEQUENCE,
  expectDer,
  formatDer,
  formatDerOid,
  parseDer,
  DER_BIT_STRING,
} from '../bytes/der.ts'
import { rawDigestOf } from '../bytes/digest.ts'
import { formatHex } from '../bytes/hex.ts'
import { parsePem } from '../bytes/pem.ts'
import { SignatureInvalid, SpindleError } from '../errors.ts'
import { parseEcdsaSignature } from './ecdsa.ts'

/** The host's `CryptoKey`, structurally, so that no DOM lib is needed to read these types. */
export interface WebKey {
  readonly type: string
  readonly extractable: boolean
  readonly algorithm: { readonly name: string }
  readonly usages: readonly string[]
}

export type HashName = 'SHA-256' | 'SHA-384' | 'SHA-512'

/** A key that signatures are checked with. */
export interface PublicKey {
  readonly kind: 'ECDSA' | 'RSA' | 'Ed25519'
  /** DER SubjectPublicKeyInfo: what keys are compared by. */
  readonly spki: Uint8Array<ArrayBuffer>
  /** The hashes to try, the usual one first. Ed25519 has its own inside. */
  readonly hashes: readonly HashName[]
  /** `false` for any signature that this key didn't make, malformed ones included. */
  verify(signature: Uint8Array, data: Uint8Array, hash?: HashName): Promise<boolean>
}

/** A public key as callers have it: PEM text, DER SPKI, or a `CryptoKey` that can be exported. */
export type KeyInput = string | Uint8Array | WebKey

/** Below this an RSA key can be factored; above it verifying takes a server's time. */
export const MIN_RSA_BITS = 2048
export const MAX_RSA_BITS = 8192

const CURVES: Readonly<
  Record<string, { name: string; width: number; hashes: readonly HashName[] }>
> = {
  '1.2.840.10045.3.1.7': { name: 'P-256', width: 32, hashes: ['SHA-256'] },
  // cosign signed with SHA-256 whatever the curve until 2026, so that is tried too.
  '1.3.132.0.34': { name: 'P-384', width: 48, hashes: ['SHA-384', 'SHA-256'] },
  '1.3.132.0.35': { name: 'P-521', width: 66, hashes: ['SHA-512', 'SHA-256'] },
}
const EC = '1.2.840.10045.2.1'
const RSA = '1.2.840.113549.1.1.1'
const ED25519 = '1.3.101.112'

/**
 * @throws `ERR_CONTENT_INVALID` when it isn't a SubjectPublicKeyInfo, `ERR_UNSUPPORTED` for another
 * algorithm or an RSA key of a refused size.
 */
export function parsePublicKey(der: Uint8Array): PublicKey {
  const spki = der.slice() as Uint8Array<ArrayBuffer>
  const [algorithm, bits] = derChildren(expectDer(parseDer(spki), DER_SEQUENCE))
  const [id, parameters] = derChildren(expectDer(algorithm, DER_SEQUENCE))
  const oid = derOid(id)
  const key = derBits(bits)
  const imported = new Map<string, Promise<CryptoKey>>()
  const importKey = (
    hash: HashName,
    spec: EcKeyImportParams | RsaHashedImportParams | { name: string },
  ): Promise<CryptoKey> => {
    let pending = imported.get(hash)
    if (pending === undefined)
      imported.set(hash, (pending = crypto.subtle.importKey('spki', spki, spec, false, ['verify'])))
    return pending.catch((cause: unknown) => {
      const missing = (cause as Error).name === 'NotSupportedError'
      throw missing
        ? unsupported(`this runtime's WebCrypto has no ${spec.name}`, cause)
        : new SpindleError('ERR_CONTENT_INVALID', `the public key is no ${spec.name} key`, {
            cause,
          })
    })
  }

  if (oid === EC) {
    const curve = CURVES[derOid(parameters)]
    if (curve === undefined)
      throw unsupported('the key is on an unsupported curve: P-256, P-384 and P-521 are supported')
    return {
      kind: 'ECDSA',
      spki,
      hashes: curve.hashes,
      async verify(signature, data, hash = curve.hashes[0]!) {
        const cryptoKey = await importKey('SHA-256', { name: 'ECDSA', namedCurve: curve.name })
        const p1363 = attempt(() => parseEcdsaSignature(signature, curve.width))
        return (
          p1363 !== undefined &&
          crypto.subtle.verify(
            { name: 'ECDSA', hash },
            cryptoKey,
            p1363,
            data as Uint8Array<ArrayBuffer>,
          )
        )
      },
    }
  }
  if (oid === RSA) {
    const modulus = derIntegerBytes(derChildren(expectDer(parseDer(key), DER_SEQUENCE))[0])
    const size =
      modulus[0] === 0 ? modulus.length * 8 - 8 : modulus.length * 8 - Math.clz32(modulus[0]!) + 24
    if (size < MIN_RSA_BITS || size > MAX_RSA_BITS)
      throw unsupported(`RSA keys have ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits, this one ${size}`)
    return {
      kind: 'RSA',
      spki,
      hashes: ['SHA-256'],
      async verify(signature, data, hash = 'SHA-256') {
        const cryptoKey = await importKey(hash, { name: 'RSASSA-PKCS1-v1_5', hash })
        return crypto.subtle.verify(
          'RSASSA-PKCS1-v1_5',
          cryptoKey,
          signature as Uint8Array<ArrayBuffer>,
          data as Uint8Array<ArrayBuffer>,
        )
      },
    }
  }
  if (oid === ED25519) {
    return {
      kind: 'Ed25519',
      spki,
      // Ed25519 hashes inside; the name is what a log over pre-hashed data would use.
      hashes: ['SHA-512'],
      async verify(signature, data) {
        const cryptoKey = await importKey('SHA-512', { name: 'Ed25519' })
        return (
          signature.length === 64 &&
          crypto.subtle.verify(
            'Ed25519',
            cryptoKey,
            signature as Uint8Array<ArrayBuffer>,
            data as Uint8Array<ArrayBuffer>,
          )
        )
      },
    }
  }
  throw unsupported(`keys of algorithm ${oid} are not supported: ECDSA, RSA and Ed25519 are`)
}

/** Wraps a bare PKCS#1 RSA key. @see https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.1 */
export function spkiOfPkcs1(der: Uint8Array): Uint8Array<ArrayBuffer> {
  const algorithm = formatDer(DER_SEQUENCE, formatDerOid(RSA), formatDer(DER_NULL))
  return formatDer(DER_SEQUENCE, algorithm, formatDer(DER_BIT_STRING, Uint8Array.of(0), der))
}

/** PEM text (`PUBLIC KEY` or `RSA PUBLIC KEY`), DER, or a public `CryptoKey` marked extractable. */
export async function loadPublicKey(input: KeyInput): Promise<PublicKey> {
  if (typeof input === 'string') {
    const [block] = parsePem(input, 'the public key')
    if (block?.label === 'PUBLIC KEY') return parsePublicKey(block.bytes)
    if (block?.label === 'RSA PUBLIC KEY') return parsePublicKey(spkiOfPkcs1(block.bytes))
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `a "PUBLIC KEY" block is needed, not "${block?.label}"`,
    )
  }
  if (input instanceof Uint8Array) return parsePublicKey(input)
  if (input.type !== 'public')
    throw new TypeError('`key` is to be a public key: never hand a private one to a verifier')
  return parsePublicKey(
    new Uint8Array(await crypto.subtle.exportKey('spki', input as unknown as CryptoKey)),
  )
}

/** SHA-256 of the SPKI in hexadecimal: how this library names keys. */
export async function keyIdOf(key: PublicKey): Promise<string> {
  return formatHex(await rawDigestOf(key.spki))
}

/** `undefined` where parsing fails. */
export function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch {
    return undefined
  }
}

function unsupported(message: string, cause?: unknown): SignatureInvalid {
  return new SignatureInvalid('UNSUPPORTED_ALGORITHM', message, { cause })
}
