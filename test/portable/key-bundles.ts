import { formatBase64 } from '../../src/bytes/base64.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { preAuthEncoding } from '../../src/trust/bundle/dsse.ts'
import type { Policy } from '../../src/trust/policy/policy.ts'
import { formatPublicKey, generateKeyPair } from '../../src/trust/keys/private-key.ts'
import { createKeySigner, signChecked, type Signer } from '../../src/trust/keys/signer.ts'
import type { Digest } from '../../src/types.ts'
import type { Json } from './trust-fixture.ts'

/** Nothing has it. */
export const FOREIGN: Digest = `sha256:${'0'.repeat(64)}`
export const hexOf = (digest: Digest): string => digest.slice(7)

export const statementAbout = (digest: object): object => ({
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ digest }],
  predicateType: 'https://sigstore.dev/cosign/sign/v1',
  predicate: {},
})

interface KeyBundles {
  readonly signer: Signer
  /** PEM. */
  readonly key: string
  /** That of the key, without a log. */
  readonly policy: () => Policy
  /** A bundle over any payload: what is under the signature may be as wrong as wanted. */
  readonly bundle: (
    statement: unknown,
    options?: { payloadType?: string; key?: Signer },
  ) => Promise<Json>
}

/** A bundle over bare bytes, with the digest that it names. */
export async function messageBundle(
  signer: Signer,
  artifact: Uint8Array,
  bits: 256 | 384 | 512 = 256,
): Promise<Json> {
  const digest = await crypto.subtle.digest(`SHA-${bits}`, artifact as Uint8Array<ArrayBuffer>)
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: 'x' } },
    messageSignature: {
      messageDigest: { algorithm: `SHA2_${bits}`, digest: formatBase64(new Uint8Array(digest)) },
      signature: formatBase64(await signChecked(signer, artifact)),
    },
  }
}

/** A new key, and bundles made with it. */
export async function createKeyBundles(): Promise<KeyBundles> {
  const pair = await generateKeyPair()
  const signer = await createKeySigner(pair)
  const key = await formatPublicKey(pair.publicKey)
  return {
    signer,
    key,
    policy: () => ({ key, requireTransparencyLog: false }),
    async bundle(statement, options = {}) {
      const { payloadType = 'application/vnd.in-toto+json' } = options
      const payload = encodeUtf8(
        typeof statement === 'string' ? statement : JSON.stringify(statement),
      )
      const sig = await signChecked(options.key ?? signer, preAuthEncoding(payloadType, payload))
      return {
        mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
        verificationMaterial: { publicKey: { hint: 'x' } },
        dsseEnvelope: {
          payload: formatBase64(payload),
          payloadType,
          signatures: [{ sig: formatBase64(sig) }],
        },
      }
    },
  }
}
