import { sameBytes } from '../bytes/der.ts'
import { digestOf, isDigest } from '../bytes/digest.ts'
import { SignatureInvalid } from '../errors.ts'
import type { Digest } from '../types.ts'
import { parseBundle, type Bundle } from './bundle.ts'
import { parseStatement, preAuthEncoding } from './dsse.ts'
import { hashBy } from './hash.ts'
import { asSignatureInvalid } from './malformed.ts'
import { IN_TOTO_TYPE } from './media-types.ts'
import { decide, loadPolicy, type LoadedRule, type Policy, type SignatureFormat } from './policy.ts'
import { verifyEvidence, type Proof } from './verify-signature.ts'

/** What a bundle is to be about: the bytes, or their digest where the bundle holds a statement. */
export type BundleSubject = { readonly artifact: Uint8Array } | { readonly digest: Digest }

/** A signature that holds, and what it proves. */
export interface VerifiedBundle extends Proof {
  readonly format: SignatureFormat
  /** Type of the signed statement, where there is one. */
  readonly predicateType?: string
  /** The name that a signature of the older form signs, as `registry/repository`; whatever its signer wrote. */
  readonly reference?: string
  /** What was signed along with the digest. */
  readonly annotations: Readonly<Record<string, string>>
}

/**
 * Verifies a sigstore bundle, whatever its predicate, without any network.
 *
 * Exported from the main entry point and from `spindle/verify`.
 *
 * @example A file and the bundle beside it
 * ```ts
 * const { signer } = await verifyBundle(bundleJson, { artifact: bytes }, {
 *   identity: 'dev@example.org', issuer: 'https://accounts.google.com', trustedRoot,
 * })
 * ```
 * @param bundle JSON text, its bytes, or the parsed value.
 * @param over The artifact, or its digest. A bundle over bare bytes needs the bytes: WebCrypto hashes them itself.
 * @throws `SignatureInvalid` with the `reason`; `PolicyRejected` (`ERR_POLICY_REJECTED`) when no
 * alternative of `anyOf` holds; `TypeError` for a policy that can't be meant.
 * @see https://github.com/sigstore/architecture-docs/blob/main/client-spec.md#4-verification
 */
export async function verifyBundle(
  bundle: unknown,
  over: BundleSubject,
  policy: Policy,
): Promise<VerifiedBundle> {
  const loaded = await loadPolicy(policy)
  const parsed = parseBundle(bundle)
  const [signature] = await decide(loaded, (rule) => {
    if (rule.threshold > 1)
      throw new TypeError('a bundle has one signer: `threshold` is for stored artifacts')
    return verifyParsedBundle(parsed, over, rule)
  })
  return signature!
}

/** @internal One rule over a bundle that was read. */
export async function verifyParsedBundle(
  bundle: Bundle,
  over: BundleSubject,
  rule: LoadedRule,
): Promise<VerifiedBundle> {
  try {
    const { content, certificates, entries, timestamps } = bundle
    if (rule.keys !== undefined && certificates.length > 0)
      throw new SignatureInvalid('KEY_MISMATCH', 'it is signed with a certificate, not a key')
    const signed =
      content.kind === 'message'
        ? { signature: content.signature, data: await messageOf(over, content.digest) }
        : {
            signature: content.signature,
            data: preAuthEncoding(content.payloadType, content.payload),
            payload: content.payload,
          }
    const proof = await verifyEvidence({ ...signed, certificates, entries, timestamps }, rule)
    if (content.kind === 'message') {
      assertAnnotations({}, rule)
      return { format: 'bundle', annotations: {}, ...proof }
    }
    if (content.payloadType !== IN_TOTO_TYPE)
      throw new SignatureInvalid('PAYLOAD_TYPE', 'the envelope holds no in-toto statement')
    const digest = 'digest' in over ? over.digest : await digestOf(over.artifact)
    if (!isDigest(digest))
      throw new TypeError('`digest` is `sha256:` or `sha512:` and lower-case hexadecimal')
    const { predicateType, annotations } = parseStatement(content.payload, digest)
    if (rule.predicateTypes?.includes(predicateType) === false)
      throw new SignatureInvalid(
        'PREDICATE_TYPE',
        `statements of type ${predicateType} do not count as signatures here`,
      )
    assertAnnotations(annotations, rule)
    return { format: 'bundle', predicateType, annotations, ...proof }
  } catch (cause) {
    throw asSignatureInvalid(cause)
  }
}

async function messageOf(
  over: BundleSubject,
  hint: { algorithm: string; value: Uint8Array },
): Promise<Uint8Array> {
  if (!('artifact' in over)) {
    throw new SignatureInvalid(
      'UNSUPPORTED_ALGORITHM',
      'the bundle signs bare bytes: hand over the artifact, not its digest',
    )
  }
  if (!sameBytes(await hashBy(hint.algorithm, over.artifact), hint.value))
    throw new SignatureInvalid('DIGEST_MISMATCH', 'the bundle is about other bytes than these')
  return over.artifact
}

/** @internal Every wanted annotation has to be there, exactly. */
export function assertAnnotations(
  signed: Readonly<Record<string, string>>,
  rule: LoadedRule,
): void {
  for (const [key, value] of rule.annotations) {
    const actual = signed[key]
    if (actual !== value)
      throw new SignatureInvalid(
        'ANNOTATION_MISMATCH',
        `the annotation ${key} is ${actual === undefined ? 'not signed' : `"${actual}"`}, the policy asks for "${value}"`,
      )
  }
}
