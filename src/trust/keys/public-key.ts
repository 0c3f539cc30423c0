/** Public keys: from SPKI, PKCS#1, PEM or `CryptoKey` to something that verifies. */
import {
  derBits,
  derIntegerBytes,
  derOid,
  derMembers,
  DER_BIT_STRING,
  DER_SEQUENCE,
  formatDer,
} from '../../bytes/der.ts'
import { rawDigestOf } from '../../bytes/digest.ts'
import { formatHex, parseHex } from '../../bytes/hex.ts'
import { parsePem } from '../../bytes/pem.ts'
import { SignatureInvalid, SpindleError } from '../../errors.ts'
import { parseEcdsaSignature } from './ecdsa.ts'
import type { HashName, KnownDigest } from './hash.ts'

/** The host's `CryptoKey`, structurally, so that no DOM lib is needed to read these types. */
export interface WebKey {
  readonly type: string
  readonly extractable: boolean
  readonly algorithm: { readonly name: string }
  readonly usages: readonly string[]
}

/** A signature over a digest, for a {@link DigestVerifier}. */
export interface DigestSignature {
  readonly algorithm: 'P-256' | 'P-384' | 'P-521' | 'RSASSA-PKCS1-v1_5' | 'Ed25519ph'
  /** DER SubjectPublicKeyInfo, which WebCrypto has imported: it is a key of that algorithm. */
  readonly publicKey: Uint8Array
  /** As WebCrypto takes it: `r ‖ s` of ECDSA, each as wide as the curve; 64 bytes of Ed25519. */
  readonly signature: Uint8Array
  /** The hash that the digest was made with. */
  readonly hash: HashName
  readonly digest: Uint8Array
}

/**
 * Verifies a signature over a digest, which WebCrypto does not: it hashes the content itself.
 * `verifyDigest` of `spindle/verify-digest` is one.
 */
export type DigestVerifier = (signature: DigestSignature) => boolean | Promise<boolean>

/** A key that signatures are checked with. */
export interface PublicKey {
  readonly kind: 'ECDSA' | 'RSA' | 'Ed25519'
  /** DER SubjectPublicKeyInfo: what keys are compared by. */
  readonly spki: Uint8Array<ArrayBuffer>
  /** The hashes to try, the usual one first. Ed25519 has its own inside. */
  readonly hashes: readonly HashName[]
  /** `false` for any signature that this key didn't make, malformed ones included. */
  verify(signature: Uint8Array, data: Uint8Array, hash?: HashName): Promise<boolean>
  /**
   * The same over a digest of the data, by Ed25519ph where the key is of Ed25519.
   * @throws `SignatureInvalid` `UNSUPPORTED_ALGORITHM` for a digest that such keys do not sign.
   */
  verifyDigest(
    signature: Uint8Array,
    digest: KnownDigest,
    verifier: DigestVerifier,
  ): Promise<boolean>
  /**
   * The SPKI as WebCrypto writes it, to tell keys apart: of one key there may be several encodings.
   */
  canonicalSpki(): Promise<Uint8Array>
}

/** A public key as callers have it: PEM text, DER SPKI, or a `CryptoKey` that can be exported. */
export type KeyInput = string | Uint8Array | WebKey

/** Below this an RSA key can be factored; above it verifying takes a server's time. */
const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 8192

interface Kind extends Pick<PublicKey, 'kind' | 'hashes'> {
  /** WebCrypto's name. */
  readonly name: string
  readonly namedCurve?: string
  /** Bytes of each integer of an ECDSA signature. */
  readonly width?: number
}

const P256: Kind = {
  kind: 'ECDSA',
  name: 'ECDSA',
  namedCurve: 'P-256',
  width: 32,
  hashes: ['SHA-256'],
}
const CURVES: ReadonlyMap<string, Kind> = new Map([
  ['1.2.840.10045.3.1.7', P256],
  // cosign signed with SHA-256 whatever the curve until 2026, so that is tried too.
  [
    '1.3.132.0.34',
    { ...P256, namedCurve: 'P-384', width: 48, hashes: ['SHA-384', ...P256.hashes] },
  ],
  [
    '1.3.132.0.35',
    { ...P256, namedCurve: 'P-521', width: 66, hashes: ['SHA-512', ...P256.hashes] },
  ],
])
const EC = '1.2.840.10045.2.1'
const OTHERS: ReadonlyMap<string, Kind> = new Map([
  ['1.2.840.113549.1.1.1', { kind: 'RSA', name: 'RSASSA-PKCS1-v1_5', hashes: P256.hashes }],
  // Ed25519 hashes inside; the name is what a log over pre-hashed data would use.
  ['1.3.101.112', { kind: 'Ed25519', name: 'Ed25519', hashes: ['SHA-512'] }],
])
/** AlgorithmIdentifier of an RSA key. */
const RSA_ALGORITHM = '300d06092a864886f70d0101010500'

/**
 * @throws `ERR_CONTENT_INVALID` when it isn't a SubjectPublicKeyInfo, `ERR_UNSUPPORTED` for another
 * algorithm or an RSA key of a refused size.
 */
export function parsePublicKey(der: Uint8Array): PublicKey {
  const spki = der.slice() as Uint8Array<ArrayBuffer>
  const [algorithm, bits] = derMembers(spki)
  const [id, parameters] = derMembers(algorithm)
  const oid = derOid(id)
  const key = derBits(bits)
  const found = oid === EC ? CURVES.get(derOid(parameters)) : OTHERS.get(oid)
  if (found === undefined)
    throw unsupported('keys are ECDSA on P-256, P-384 or P-521, RSA or Ed25519')
  const { kind, name, namedCurve, width, hashes } = found
  if (kind === 'RSA') assertModulus(key)
  const imported = new Map<string, Promise<CryptoKey>>()
  const importKey = (hash: HashName): Promise<CryptoKey> => {
    const wanted = { ...found, hash }
    const pending =
      imported.get(hash) ?? crypto.subtle.importKey('spki', spki, wanted, true, ['verify'])
    imported.set(hash, pending)
    return pending.catch((cause: unknown) => {
      throw (cause as Error).name === 'NotSupportedError'
        ? unsupported(`this runtime's WebCrypto has no ${name}`, cause)
        : new SpindleError('ERR_CONTENT_INVALID', `the public key is no ${name} key`, { cause })
    })
  }
  const rawOf = (signature: Uint8Array): Uint8Array | undefined => {
    if (kind === 'Ed25519' && signature.length !== 64) return undefined
    return width === undefined ? signature : attempt(() => parseEcdsaSignature(signature, width))
  }
  return {
    kind,
    spki,
    hashes,
    async verify(signature, data, hash = hashes[0]!) {
      const cryptoKey = await importKey(hash)
      const raw = rawOf(signature)
      return (
        raw !== undefined &&
        crypto.subtle.verify(
          { name, hash },
          cryptoKey,
          raw as Uint8Array<ArrayBuffer>,
          data as Uint8Array<ArrayBuffer>,
        )
      )
    },
    async verifyDigest(signature, { hash, value }, verifier) {
      if (!hashes.includes(hash))
        throw unsupported(
          kind === 'Ed25519'
            ? 'Ed25519 signs content, and Ed25519ph its SHA-512 digest: hand over the artifact, or that digest'
            : `the key signs with ${hashes.join(' or ')}, not ${hash}: hand over such a digest, or the artifact`,
        )
      // As strict about the key as over the bytes.
      await importKey(hash)
      const raw = rawOf(signature)
      const algorithm = (namedCurve ??
        (kind === 'RSA' ? name : 'Ed25519ph')) as DigestSignature['algorithm']
      return (
        raw !== undefined &&
        // Of an answer that is something else, such as an object, nothing is concluded.
        (await verifier({ algorithm, publicKey: spki, signature: raw, hash, digest: value })) ===
          true
      )
    },
    async canonicalSpki() {
      const key = await importKey(hashes[0]!)
      return new Uint8Array(await crypto.subtle.exportKey('spki', key))
    },
  }
}

function assertModulus(key: Uint8Array): void {
  const modulus = derIntegerBytes(derMembers(key)[0])
  const size = modulus.length * 8 - (modulus[0] === 0 ? 8 : Math.clz32(modulus[0]!) - 24)
  if (size < MIN_RSA_BITS || size > MAX_RSA_BITS)
    throw unsupported(`RSA keys have ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits, this one ${size}`)
}

/** Wraps a bare PKCS#1 RSA key. @see https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.1 */
export function spkiOfPkcs1(der: Uint8Array): Uint8Array<ArrayBuffer> {
  const bits = formatDer(DER_BIT_STRING, Uint8Array.of(0), der)
  return formatDer(DER_SEQUENCE, parseHex(RSA_ALGORITHM)!, bits)
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
  if (input.type !== 'public') throw new TypeError('`key` is to be a public key')
  return parsePublicKey(
    new Uint8Array(await crypto.subtle.exportKey('spki', input as unknown as CryptoKey)),
  )
}

/** SHA-256 of the SPKI in hexadecimal: how this library names keys. Of one key whatever its encoding was. */
export async function keyIdOf(key: PublicKey): Promise<string> {
  return formatHex(await rawDigestOf(await key.canonicalSpki()))
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
