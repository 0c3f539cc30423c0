/** What signs: a key in WebCrypto, or one that never leaves its service. */
import { SpindleError } from '../../errors.ts'
import { formatEcdsaSignature } from './ecdsa.ts'
import {
  importPrivateKey,
  publicKeyOfPrivate,
  type PrivateJwk,
  type WebKeyPair,
} from './private-key.ts'
import type { HashName } from './hash.ts'
import { parsePublicKey, type WebKey } from './public-key.ts'

/**
 * A key that signs; the port for key management services.
 *
 * @example A key in a service that signs as WebCrypto and JOSE do
 * ```ts
 * const signer: Signer = { publicKey: spki, encoding: 'p1363', sign: (bytes) => kms.sign(keyName, bytes) }
 * ```
 */
export interface Signer {
  /** DER SubjectPublicKeyInfo. What `sign` returns is checked with it before it is written anywhere. */
  readonly publicKey: Uint8Array
  /** ECDSA signatures: `der`, as AWS, Google and OpenSSL return them, or `p1363`, `r ‖ s` as WebCrypto and JOSE do. Default `der`. */
  readonly encoding?: 'der' | 'p1363'
  /** Signs the bytes: hashes them with SHA-256, with SHA-384 on P-384 and SHA-512 on P-521; Ed25519 has its own. */
  sign(bytes: Uint8Array): Promise<Uint8Array>
}

/**
 * A signer over a key in hand: a pair, a private `CryptoKey` that may be exported, PEM, PKCS#8 DER or a JWK.
 *
 * Exported from the main entry point and `spindle/sign`.
 *
 * @example Sign with a key from a Worker's secret
 * ```ts
 * await sign('ghcr.io/team/app:1', await createKeySigner(env.SIGNING_KEY))
 * ```
 * @throws `TypeError` for a private key whose public half can't be known; `ERR_CONTENT_INVALID`, `ERR_UNSUPPORTED`.
 */
export async function createKeySigner(
  key: WebKeyPair | WebKey | string | Uint8Array | PrivateJwk,
): Promise<Signer> {
  const { privateKey, publicKey } = await pairOf(key)
  const spki = new Uint8Array(await crypto.subtle.exportKey('spki', publicKey as CryptoKey))
  const { name } = privateKey.algorithm
  const hash: HashName = parsePublicKey(spki).hashes[0]!
  if (!['ECDSA', 'RSASSA-PKCS1-v1_5', 'Ed25519'].includes(name))
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `keys for ${name} can't sign here: ECDSA, RSASSA-PKCS1-v1_5 and Ed25519 can`,
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
 * @internal A signature as it goes on the wire, proven to be by this key over these bytes.
 * @throws `ERR_SIGNATURE_INVALID` when the signer returned something else.
 */
export async function signChecked(signer: Signer, bytes: Uint8Array): Promise<Uint8Array> {
  const key = parsePublicKey(signer.publicKey)
  const raw = await signer.sign(bytes)
  const signature =
    key.kind === 'ECDSA' && signer.encoding === 'p1363' ? formatEcdsaSignature(raw) : raw
  if (!(await key.verify(signature, bytes))) {
    throw new SpindleError(
      'ERR_SIGNATURE_INVALID',
      'the signer returned a signature that its own public key does not verify: check its key, hash and `encoding`',
    )
  }
  return signature
}
