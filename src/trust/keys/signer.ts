/** Signers: a WebCrypto key, or a key in a key management service. */
import { SpindleError, SignatureInvalid } from '../../errors.ts'
import { formatEcdsaSignature } from './ecdsa.ts'
import { formatBase64Url } from '../../bytes/base64.ts'
import { createEd25519Key } from '../../bytes/ed25519.ts'
import { concat } from '../../bytes/stream.ts'
import {
  ed25519Seed,
  importPrivateKey,
  publicKeyOfPrivate,
  type PrivateJwk,
  type WebKeyPair,
} from './private-key.ts'
import type { HashName } from './hash.ts'
import { ED25519_SPKI, parsePublicKey, type WebKey } from './public-key.ts'

/**
 * Signs with one key. Implement it for a key management service.
 *
 * @example A key in a service that signs as WebCrypto and JOSE do
 * ```ts
 * const signer: Signer = { publicKey: spki, encoding: 'p1363', sign: (bytes) => kms.sign(keyName, bytes) }
 * ```
 */
export interface Signer {
  /** DER SubjectPublicKeyInfo. Every result of `sign` is verified with it before it is stored. */
  readonly publicKey: Uint8Array
  /**
   * Encoding of ECDSA signatures: `der` (AWS, Google Cloud, OpenSSL) or `p1363`, which is `r ‖ s`
   * (WebCrypto, JOSE). Default `der`.
   */
  readonly encoding?: 'der' | 'p1363'
  /**
   * Signs the bytes. Hash: SHA-256 for P-256 and RSA, SHA-384 for P-384, SHA-512 for P-521; Ed25519
   * hashes internally.
   */
  sign(bytes: Uint8Array): Promise<Uint8Array>
}

/**
 * Creates a signer from a local key: a key pair, an extractable private `CryptoKey`, PEM, PKCS#8 DER or a
 * JWK.
 *
 * Exported from the main entry point and `spindle/sign`.
 *
 * @example Sign with a key from a Worker's secret
 * ```ts
 * await sign('ghcr.io/team/app:1', await createKeySigner(env.SIGNING_KEY))
 * ```
 * @throws `TypeError` for a private key whose public key cannot be derived; `ERR_CONTENT_INVALID` for a
 * malformed key; `ERR_UNSUPPORTED` for an encrypted key or another algorithm.
 */
export async function createKeySigner(
  key: WebKeyPair | WebKey | string | Uint8Array | PrivateJwk,
): Promise<Signer> {
  const isInput = typeof key === 'string' || key instanceof Uint8Array || 'kty' in key
  const seed = isInput ? ed25519Seed(key) : undefined
  if (isInput && seed !== undefined) return createEd25519Signer(seed, key)
  const { privateKey, publicKey } = await pairOf(key)
  const spki = new Uint8Array(await crypto.subtle.exportKey('spki', publicKey as CryptoKey))
  const { name } = privateKey.algorithm
  const hash: HashName = parsePublicKey(spki).hashes[0]!
  if (!['ECDSA', 'RSASSA-PKCS1-v1_5', 'Ed25519'].includes(name))
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `keys for ${name} are not supported: use ECDSA, RSASSA-PKCS1-v1_5 or Ed25519`,
    )
  return {
    publicKey: spki,
    encoding: 'p1363',
    sign: async (bytes) =>
      new Uint8Array(
        await crypto.subtle.sign(
          name === 'ECDSA' ? { name, hash } : { name },
          privateKey as CryptoKey,
          bytes as Uint8Array<ArrayBuffer>,
        ),
      ),
  }
}

/** Signs without WebCrypto where the engine lacks Ed25519, or cannot import the seed. */
async function createEd25519Signer(
  seed: Uint8Array,
  input: string | Uint8Array | PrivateJwk,
): Promise<Signer> {
  const { publicKey, sign } = await createEd25519Key(seed)
  if (typeof input === 'object' && 'x' in input && input['x'] !== formatBase64Url(publicKey))
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      'the private key is damaged: its "x" is not the public half of its "d"',
    )
  return { publicKey: concat([ED25519_SPKI, publicKey]), encoding: 'p1363', sign }
}

async function pairOf(
  key: WebKeyPair | WebKey | string | Uint8Array | PrivateJwk,
): Promise<WebKeyPair> {
  if (typeof key === 'object' && 'privateKey' in key) return key as WebKeyPair
  const isKey = typeof key === 'object' && !(key instanceof Uint8Array) && 'usages' in key
  const privateKey = isKey
    ? (key as WebKey)
    : await importPrivateKey(key as string | Uint8Array | PrivateJwk)
  return { privateKey, publicKey: await publicKeyOfPrivate(privateKey) }
}

/**
 * @internal Signs and verifies the result. Returns the wire encoding: DER for ECDSA.
 * @throws `ERR_SIGNATURE_INVALID` when the signer returned something else.
 */
export async function signChecked(signer: Signer, bytes: Uint8Array): Promise<Uint8Array> {
  const key = parsePublicKey(signer.publicKey)
  const raw = await signer.sign(bytes)
  const signature =
    key.kind === 'ECDSA' && signer.encoding === 'p1363' ? formatEcdsaSignature(raw) : raw
  if (!(await key.verify(signature, bytes))) {
    throw new SignatureInvalid(
      'SIGNATURE_INVALID',
      'the signer returned a signature that its public key does not verify: check its key, hash and `encoding`',
    )
  }
  return signature
}
