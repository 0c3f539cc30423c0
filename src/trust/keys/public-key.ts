/** Loads public keys from SPKI, PKCS#1, PEM or a `CryptoKey`, and verifies signatures with them. */
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
import { verifyEd25519 } from '../../bytes/ed25519.ts'
import { formatHex, parseHex } from '../../bytes/hex.ts'
import { parsePem } from '../../bytes/pem.ts'
import { concat } from '../../bytes/stream.ts'
import { SignatureInvalid, SpindleError } from '../../errors.ts'
import { parseEcdsaSignature } from './ecdsa.ts'
import type { HashName, KnownDigest } from './hash.ts'

/** The host's `CryptoKey`, declared structurally so that these types do not need the DOM library. */
export interface WebKey {
  /** `private` or `public`. */
  readonly type: string
  /** Whether the key can be exported. */
  readonly extractable: boolean
  /** The WebCrypto algorithm. */
  readonly algorithm: {
    /** `ECDSA`, `RSASSA-PKCS1-v1_5` or `Ed25519`. */
    readonly name: string
  }
  /** Allowed operations, such as `sign` and `verify`. */
  readonly usages: readonly string[]
}

/** A signature over a digest, for a {@link DigestVerifier}. */
export interface DigestSignature {
  /** The curve of an ECDSA key, or the algorithm of any other key. */
  readonly algorithm: 'P-256' | 'P-384' | 'P-521' | 'RSASSA-PKCS1-v1_5' | 'Ed25519ph'
  /** DER SubjectPublicKeyInfo, already imported by WebCrypto for that algorithm. */
  readonly publicKey: Uint8Array
  /** WebCrypto's encoding: `r ‖ s` of ECDSA, each padded to the curve's width; 64 bytes for Ed25519. */
  readonly signature: Uint8Array
  /** Hash function that produced the digest. */
  readonly hash: HashName
  /** The digest to verify the signature over. */
  readonly digest: Uint8Array
}

/**
 * Verifies a signature over a digest. WebCrypto verifies over content only; `verifyDigest` of
 * `spindle/verify-digest` is an implementation.
 */
export type DigestVerifier = (signature: DigestSignature) => boolean | Promise<boolean>

/** A loaded public key. */
export interface PublicKey {
  readonly kind: 'ECDSA' | 'RSA' | 'Ed25519'
  /** DER SubjectPublicKeyInfo, compared with log entries and certificates. */
  readonly spki: Uint8Array<ArrayBuffer>
  /** The hashes to try, the usual one first. Ed25519 hashes internally. */
  readonly hashes: readonly HashName[]
  /** Resolves with `false` for an invalid signature, including a malformed one. */
  verify(signature: Uint8Array, data: Uint8Array, hash?: HashName): Promise<boolean>
  /**
   * Like `verify`, over a digest of the data; with an Ed25519 key, verifies Ed25519ph.
   * @throws `SignatureInvalid` `UNSUPPORTED_ALGORITHM` for a hash that this kind of key does not sign.
   */
  verifyDigest(
    signature: Uint8Array,
    digest: KnownDigest,
    verifier: DigestVerifier,
  ): Promise<boolean>
  /**
   * The SPKI as exported by WebCrypto. Identifies the key: one key can have several SPKI encodings.
   */
  canonicalSpki(): Promise<Uint8Array>
}

/** A public key: PEM text, DER SPKI, or an extractable `CryptoKey`. */
export type KeyInput = string | Uint8Array | WebKey

/** Smallest and largest RSA modulus: smaller keys can be factored, larger ones make verification slow. */
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
  // Ed25519 hashes internally; this is the hash of Ed25519ph, which logs of digests use.
  ['1.3.101.112', { kind: 'Ed25519', name: 'Ed25519', hashes: ['SHA-512'] }],
])
/** What precedes the 32 bytes of an Ed25519 key. @see RFC 8410, 4 */
export const ED25519_SPKI: Uint8Array = parseHex('302a300506032b6570032100')!
/** AlgorithmIdentifier of an RSA key. */
const RSA_ALGORITHM = '300d06092a864886f70d0101010500'

/**
 * Parses a DER SubjectPublicKeyInfo.
 * @throws `ERR_CONTENT_INVALID` when it is not one; `ERR_UNSUPPORTED` for another algorithm or an RSA key
 * outside the size limits.
 */
export function parsePublicKey(der: Uint8Array): PublicKey {
  const spki = der.slice() as Uint8Array<ArrayBuffer>
  const [algorithm, bits] = derMembers(spki)
  const [id, parameters] = derMembers(algorithm)
  const oid = derOid(id)
  const key = derBits(bits)
  const found = oid === EC ? CURVES.get(derOid(parameters)) : OTHERS.get(oid)
  if (found === undefined)
    throw unsupported(
      'the public key has an unsupported algorithm: ECDSA on P-256, P-384 or P-521, RSA and Ed25519 are supported',
    )
  const { kind, name, namedCurve, width, hashes } = found
  if (kind === 'Ed25519') return ed25519PublicKey(spki, key, found)
  const modulusBytes = kind === 'RSA' ? modulusBytesOf(key) : undefined
  const imported = new Map<string, Promise<CryptoKey>>()
  const importKey = (hash: HashName): Promise<CryptoKey> => {
    const wanted = { ...found, hash }
    const pending =
      imported.get(hash) ?? crypto.subtle.importKey('spki', spki, wanted, true, ['verify'])
    imported.set(hash, pending)
    return pending.catch(refuseKey)
  }
  const refuseKey = (cause: unknown): never => {
    throw (cause as Error).name === 'NotSupportedError'
      ? unsupported(`the WebCrypto of this runtime does not support ${name}`, cause)
      : new SpindleError('ERR_CONTENT_INVALID', `the public key is not a valid ${name} key`, {
          cause,
        })
  }
  const rawOf = (signature: Uint8Array): Uint8Array | undefined => {
    // WebKit accepts leading zeros. RFC 8017, 8.2.2: a signature is as long as the modulus.
    if (modulusBytes !== undefined && signature.length !== modulusBytes) return undefined
    return width === undefined ? signature : attempt(() => parseEcdsaSignature(signature, width))
  }
  return {
    kind,
    spki,
    hashes,
    async verify(signature, data, hash = hashes[0]!) {
      const cryptoKey = await importKey(hash)
      const raw = rawOf(signature)
      if (raw === undefined) return false
      // Deno imports points that are not on the curve, and rejects when it verifies with them.
      return crypto.subtle
        .verify(
          { name, hash },
          cryptoKey,
          raw as Uint8Array<ArrayBuffer>,
          data as Uint8Array<ArrayBuffer>,
        )
        .catch(refuseKey)
    },
    async verifyDigest(signature, { hash, value }, verifier) {
      if (!hashes.includes(hash))
        throw unsupported(
          `the key signs ${hashes.join(' or ')} digests, not ${hash}: pass such a digest, or the artifact`,
        )
      // Let WebCrypto reject invalid keys, as when verifying over content.
      await importKey(hash)
      const raw = rawOf(signature)
      const algorithm = (namedCurve ?? name) as DigestSignature['algorithm']
      return (
        raw !== undefined &&
        // Only `true` counts, not a truthy value such as an object.
        (await verifier({ algorithm, publicKey: spki, signature: raw, hash, digest: value })) ===
          true
      )
    },
    async canonicalSpki() {
      const key = await importKey(hashes[0]!)
      return new Uint8Array(await crypto.subtle.exportKey('spki', key).catch(refuseKey))
    },
  }
}

/**
 * Verifies with {@link verifyEd25519}, whose answers are the same in every engine: WebKit refuses keys
 * that begin with a zero, and engines differ in points of small order.
 */
function ed25519PublicKey(
  spki: Uint8Array<ArrayBuffer>,
  key: Uint8Array,
  { kind, hashes }: Kind,
): PublicKey {
  if (key.length !== 32)
    throw new SpindleError('ERR_CONTENT_INVALID', 'the public key is not a valid Ed25519 key')
  return {
    kind,
    spki,
    hashes,
    verify: (signature, data) => verifyEd25519(signature, data, key),
    async verifyDigest(signature, { hash, value }, verifier) {
      if (!hashes.includes(hash))
        throw unsupported(
          'Ed25519 signs content, and Ed25519ph its SHA-512 digest: pass the artifact, or that digest',
        )
      const request = {
        algorithm: 'Ed25519ph',
        publicKey: spki,
        signature,
        hash,
        digest: value,
      } as const
      return signature.length === 64 && (await verifier(request)) === true
    },
    canonicalSpki: async () => concat([ED25519_SPKI, key]),
  }
}

/** Bytes of the modulus, and so of a signature, of a PKCS#1 key. Refuses sizes out of bounds. */
function modulusBytesOf(key: Uint8Array): number {
  const modulus = derIntegerBytes(derMembers(key)[0])
  const bits = modulus.length * 8 - (modulus[0] === 0 ? 8 : Math.clz32(modulus[0]!) - 24)
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS)
    throw unsupported(
      `the RSA key has ${bits} bits: ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits are supported`,
    )
  return Math.ceil(bits / 8)
}

/** Wraps a bare PKCS#1 RSA key. @see https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.1 */
export function spkiOfPkcs1(der: Uint8Array): Uint8Array<ArrayBuffer> {
  const bits = formatDer(DER_BIT_STRING, Uint8Array.of(0), der)
  return formatDer(DER_SEQUENCE, parseHex(RSA_ALGORITHM)!, bits)
}

/**
 * Loads a public key from PEM (`PUBLIC KEY` or `RSA PUBLIC KEY`), DER, or an extractable `CryptoKey`.
 * @throws `ERR_CONTENT_INVALID`; `ERR_UNSUPPORTED`; `TypeError` for a `CryptoKey` that is not public.
 */
export async function loadPublicKey(input: KeyInput): Promise<PublicKey> {
  if (typeof input === 'string') {
    const [block] = parsePem(input, 'the public key')
    if (block?.label === 'PUBLIC KEY') return parsePublicKey(block.bytes)
    if (block?.label === 'RSA PUBLIC KEY') return parsePublicKey(spkiOfPkcs1(block.bytes))
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `the PEM text should have a "PUBLIC KEY" block and has "${block?.label}": pass the public key of the pair`,
    )
  }
  if (input instanceof Uint8Array) return parsePublicKey(input)
  if (input.type !== 'public')
    throw new TypeError(`\`key\` should be a public key and is a ${input.type} key`)
  return parsePublicKey(
    new Uint8Array(await crypto.subtle.exportKey('spki', input as unknown as CryptoKey)),
  )
}

/** SHA-256 of the canonical SPKI, hexadecimal: the same for every encoding of one key. */
export async function keyIdOf(key: PublicKey): Promise<string> {
  return formatHex(await rawDigestOf(await key.canonicalSpki()))
}

/** The result of `parse`, or `undefined` if it throws. */
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
