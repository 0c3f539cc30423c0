import { sameBytes } from '../../bytes/der.ts'
import { digestOf } from '../../bytes/digest.ts'
import { isPlainObject } from '../../bytes/json.ts'
import { assertKnownOptions } from '../../bytes/known-names.ts'
import { SignatureInvalid } from '../../errors.ts'
import { parseBundle, type Bundle } from './bundle.ts'
import { assertClaims } from '../policy/claims.ts'
import { decide } from './decide.ts'
import { parseStatement, preAuthEncoding } from './dsse.ts'
import { hashBy, parseSubjectDigest, type Covered, type SubjectDigest } from '../keys/hash.ts'
import { loadPolicy, type LoadedPolicy, type LoadedRule } from '../policy/load-policy.ts'
import { asSignatureInvalid } from '../wire/malformed.ts'
import { IN_TOTO_TYPE } from '../wire/media-types.ts'
import type { Policy, SignatureFormat } from '../policy/policy.ts'
import type { DigestVerifier } from '../keys/public-key.ts'
import { verifyEvidence, type Proof } from './verify-signature.ts'

/**
 * What a bundle has to be about: the artifact's bytes, or their digest. SHA-384 is for bundles over bare
 * bytes that a key on P-384 signed.
 */
export type BundleSubject = { readonly artifact: Uint8Array } | { readonly digest: SubjectDigest }

export interface VerifyBundleOptions {
  /**
   * Verifies signatures over a digest, as `verifyDigest` of `spindle/verify-digest` does. Needed for a
   * bundle over bare bytes where only their digest is given, and for Ed25519ph. Default: none.
   */
  readonly verifyDigest?: DigestVerifier
}

const OPTIONS = { verifyDigest: true } as const satisfies Record<keyof VerifyBundleOptions, true>

/** A signature that holds, and what it proves. */
export interface VerifiedBundle extends Proof {
  readonly format: SignatureFormat
  /**
   * What was compared with the signature: the artifact itself, which was hashed here, or only its
   * digest, which is as trustworthy as where it came from. Of a stored signature always the digest.
   */
  readonly seen: 'artifact' | 'digest'
  /** Type of the signed statement, where there is one. */
  readonly predicateType?: string
  /**
   * The signed name of the artifact, whatever its signer wrote: `registry/repository` of a legacy
   * signature, or the name of the subject of a statement.
   */
  readonly reference?: string
  /** What was signed along with the digest. */
  readonly annotations: Readonly<Record<string, string>>
}

/**
 * Verifies a sigstore bundle, whatever its predicate, without any network.
 *
 * Exported from the main entry point and `spindle/verify`.
 *
 * @example A file and the bundle beside it
 * ```ts
 * const { signer } = await verifyBundle(bundleJson, { artifact: bytes }, {
 *   identity: 'dev@example.org', issuer: 'https://accounts.google.com', trustedRoot,
 * })
 * ```
 * @example The digest of a file that is elsewhere
 * ```ts
 * import { verifyDigest } from 'spindle/verify-digest'
 * await verifyBundle(bundleJson, { digest: 'sha256:…' }, policy, { verifyDigest })
 * ```
 * @param bundle JSON text, its bytes, or the parsed value.
 * @param over The artifact, or its digest. A bundle over bare bytes needs `verifyDigest` for the latter.
 * @throws `SignatureInvalid` with the `reason`, `UNSUPPORTED_ALGORITHM` (`ERR_UNSUPPORTED`) where the
 * digest is not enough; `PolicyRejected` (`ERR_POLICY_REJECTED`) when too few rules of an `anyOf` are
 * satisfied; `TypeError` for an invalid policy, or one that asks for several signers.
 * @see https://github.com/sigstore/architecture-docs/blob/main/client-spec.md#4-verification
 */
export async function verifyBundle(
  bundle: unknown,
  over: BundleSubject,
  policy: Policy,
  options: VerifyBundleOptions = {},
): Promise<VerifiedBundle> {
  assertKnownOptions(options, OPTIONS, 'verifyBundle')
  const { verifyDigest } = options
  if (verifyDigest !== undefined && typeof verifyDigest !== 'function')
    throw new TypeError('`verifyDigest` is a function, as in `spindle/verify-digest`')
  assertSubject(over)
  const loaded = await loadPolicy(policy)
  assertOneSigner(loaded)
  const parsed = parseBundle(bundle)
  const [signature] = await decide(loaded, async (rule) => [
    await verifyParsedBundle(parsed, over, rule, verifyDigest),
  ])
  return signature!
}

function assertSubject(over: unknown): void {
  const given = isPlainObject(over)
    ? Object.keys(over).filter((key) => over[key] !== undefined)
    : []
  const [only = '', surplus] = given
  const value = isPlainObject(over) ? over[only] : undefined
  if (!['artifact', 'digest'].includes(only) || surplus !== undefined)
    throw new TypeError('a bundle is verified over `{ artifact }` or `{ digest }`')
  if (only === 'digest') parseSubjectDigest(value)
  else if (!(value instanceof Uint8Array)) throw new TypeError('`artifact` is a Uint8Array')
}

function assertOneSigner(policy: LoadedPolicy): void {
  if ('threshold' in policy && policy.threshold > 1)
    throw new TypeError('a bundle has one signer: `threshold` is for stored artifacts')
  const rules = 'anyOf' in policy ? policy.anyOf : 'allOf' in policy ? policy.allOf : []
  for (const rule of rules) assertOneSigner(rule)
}

/** @internal One rule over a bundle that was read. */
export async function verifyParsedBundle(
  bundle: Bundle,
  over: BundleSubject,
  rule: LoadedRule,
  verifyDigest?: DigestVerifier,
): Promise<VerifiedBundle> {
  try {
    const { content, certificates, entries, timestamps } = bundle
    const seen = 'digest' in over ? 'digest' : 'artifact'
    if (rule.keys !== undefined && certificates.length > 0)
      throw new SignatureInvalid('KEY_MISMATCH', 'it is signed with a certificate, not a key')
    const signed =
      content.kind === 'message'
        ? {
            signature: content.signature,
            data: await coveredBy(over, content.digest),
            verifyDigest,
          }
        : {
            signature: content.signature,
            data: preAuthEncoding(content.payloadType, content.payload),
            payload: content.payload,
          }
    const proof = await verifyEvidence({ ...signed, certificates, entries, timestamps }, rule)
    const claims =
      content.kind === 'message'
        ? ({ format: 'bundle', annotations: {} } as const)
        : await readClaims(content.payloadType, content.payload, over)
    assertClaims(claims, rule)
    return { ...claims, seen, ...proof }
  } catch (cause) {
    throw asSignatureInvalid(cause)
  }
}

async function readClaims(
  payloadType: string,
  payload: Uint8Array,
  over: BundleSubject,
): Promise<
  Pick<VerifiedBundle, 'predicateType' | 'reference' | 'annotations'> & { format: 'bundle' }
> {
  if (payloadType !== IN_TOTO_TYPE)
    throw new SignatureInvalid('PAYLOAD_TYPE', 'the envelope holds no in-toto statement')
  const digest = 'digest' in over ? over.digest : await digestOf(over.artifact)
  const { predicateType, name, annotations } = parseStatement(payload, digest)
  return {
    format: 'bundle',
    predicateType,
    ...(name !== undefined && { reference: name }),
    annotations,
  }
}

/** What a signature over bare bytes covers, compared with the digest that the bundle names. */
async function coveredBy(
  over: BundleSubject,
  hint: { readonly algorithm: string; readonly value: Uint8Array },
): Promise<Covered> {
  const data = 'digest' in over ? parseSubjectDigest(over.digest) : over.artifact
  if (!sameBytes(await hashBy(hint.algorithm, data), hint.value))
    throw new SignatureInvalid('DIGEST_MISMATCH', 'the bundle is about other bytes than these')
  return data
}
