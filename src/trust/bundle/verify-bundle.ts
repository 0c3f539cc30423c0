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

/** The artifact that a bundle has to be for: its bytes, or its digest. */
export type BundleSubject =
  | {
      /** The artifact's bytes. */
      readonly artifact: Uint8Array
    }
  | {
      /**
       * `sha256:`, `sha384:` or `sha512:` and lower-case hexadecimal. `sha384:` is for bundles over bare
       * bytes, signed with a P-384 key.
       */
      readonly digest: SubjectDigest
    }

/** Options of `verifyBundle`. */
export interface VerifyBundleOptions {
  /**
   * Verifies signatures over a digest, like `verifyDigest` of `spindle/verify-digest`. Needed for a
   * bundle over bare bytes when only their digest is given, and for Ed25519ph. Default: none.
   */
  readonly verifyDigest?: DigestVerifier
}

const OPTIONS = { verifyDigest: true } as const satisfies Record<keyof VerifyBundleOptions, true>

/** A verified signature. */
export interface VerifiedBundle extends Proof {
  /** Storage format: a sigstore bundle, or a legacy signature. */
  readonly format: SignatureFormat
  /**
   * What the signature was verified against: the artifact's bytes, or only a digest, which is as
   * trustworthy as its source. Always `digest` for a stored signature.
   */
  readonly seen: 'artifact' | 'digest'
  /** Predicate type of the signed statement; absent for signatures without a statement. */
  readonly predicateType?: string
  /**
   * The signed name of the artifact, chosen by its signer: `registry/repository` of a legacy signature,
   * or the name of the statement's subject.
   */
  readonly reference?: string
  /** Annotations that were signed with the digest. */
  readonly annotations: Readonly<Record<string, string>>
}

/**
 * Verifies a sigstore bundle with any predicate type, without network access.
 *
 * Exported from the main entry point and `spindle/verify`.
 *
 * @example A file and its bundle
 * ```ts
 * const { signer } = await verifyBundle(bundleJson, { artifact: bytes }, {
 *   identity: 'dev@example.org', issuer: 'https://accounts.google.com', trustedRoot,
 * })
 * ```
 * @example Only the digest of the file
 * ```ts
 * import { verifyDigest } from 'spindle/verify-digest'
 * await verifyBundle(bundleJson, { digest: 'sha256:…' }, policy, { verifyDigest })
 * ```
 * @param bundle JSON text, its bytes, or the parsed value.
 * @param over The artifact, or its digest. With a digest, a bundle over bare bytes needs `verifyDigest`.
 * @throws `SignatureInvalid` with a `reason`, which is `UNSUPPORTED_ALGORITHM` (`ERR_UNSUPPORTED`) when the
 * artifact is needed; `PolicyRejected` (`ERR_POLICY_REJECTED`) when too few rules of an `anyOf` are
 * satisfied; `TypeError` for an invalid policy, or one that requires several signers.
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
    throw new TypeError(
      '`verifyDigest` should be a function, such as the one of `spindle/verify-digest`',
    )
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
    throw new TypeError('`over` should be `{ artifact }` or `{ digest }`')
  if (only === 'digest') parseSubjectDigest(value)
  else if (!(value instanceof Uint8Array)) throw new TypeError('`artifact` should be a Uint8Array')
}

function assertOneSigner(policy: LoadedPolicy): void {
  if ('threshold' in policy && policy.threshold > 1)
    throw new TypeError(
      'a bundle has one signer: `threshold` above 1 is only for artifacts in a registry',
    )
  const rules = 'anyOf' in policy ? policy.anyOf : 'allOf' in policy ? policy.allOf : []
  for (const rule of rules) assertOneSigner(rule)
}

/** @internal Verifies a parsed bundle against one rule. */
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
      throw new SignatureInvalid(
        'KEY_MISMATCH',
        'the signature was made with a certificate, but the policy requires a key',
      )
    const signed =
      content.kind === 'message'
        ? {
            signature: content.signature,
            data: await contentMatching(over, content.digest),
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
    throw new SignatureInvalid(
      'PAYLOAD_TYPE',
      'the payload of the DSSE envelope is not an in-toto statement',
    )
  const digest = 'digest' in over ? over.digest : await digestOf(over.artifact)
  const { predicateType, name, annotations } = parseStatement(payload, digest)
  return {
    format: 'bundle',
    predicateType,
    ...(name !== undefined && { reference: name }),
    annotations,
  }
}

/** Returns the signed content, after comparing it with the digest in the bundle. */
async function contentMatching(
  over: BundleSubject,
  hint: { readonly algorithm: string; readonly value: Uint8Array },
): Promise<Covered> {
  const data = 'digest' in over ? parseSubjectDigest(over.digest) : over.artifact
  if (!sameBytes(await hashBy(hint.algorithm, data), hint.value))
    throw new SignatureInvalid(
      'DIGEST_MISMATCH',
      'the bundle is for another artifact: digest mismatch',
    )
  return data
}
