import { SignatureInvalid } from '../../errors.ts'
import type { LoadedRule } from './load-policy.ts'
import type { SignatureFormat } from './policy.ts'

/** Signed claims about the artifact; absent where the format has no such claim. */
interface Claims {
  readonly format: SignatureFormat
  readonly predicateType?: string
  readonly reference?: string
  readonly annotations: Readonly<Record<string, string>>
}

/**
 * Compares the signed claims with a rule. A claim that the signature's format does not have is not satisfied.
 * @throws `SignatureInvalid` `FORMAT_MISMATCH`, `PREDICATE_TYPE`, `REFERENCE_MISMATCH`, `ANNOTATION_MISMATCH`.
 */
export function assertClaims(claims: Claims, rule: LoadedRule): void {
  const { format, predicateType, reference, annotations } = claims
  if (!rule.formats.includes(format))
    throw new SignatureInvalid(
      'FORMAT_MISMATCH',
      `the signature has the format "${format}", the policy requires "${rule.formats.join('" or "')}"`,
    )
  if (rule.predicateTypes !== undefined && predicateType === undefined)
    throw new SignatureInvalid(
      'PREDICATE_TYPE',
      'the signature is over bare bytes, but the policy requires a statement (`predicateTypes`)',
    )
  if (rule.predicateTypes?.includes(predicateType!) === false)
    throw new SignatureInvalid(
      'PREDICATE_TYPE',
      `the predicate type ${predicateType} of the statement is not among the policy's \`predicateTypes\` (default: that of cosign sign)`,
    )
  if (rule.reference !== undefined && reference !== rule.reference)
    throw new SignatureInvalid(
      'REFERENCE_MISMATCH',
      `the signed name of the artifact is ${reference ?? 'absent'}, the policy requires ${rule.reference}`,
    )
  for (const [key, value] of rule.annotations) {
    const actual = annotations[key]
    if (actual !== value)
      throw new SignatureInvalid(
        'ANNOTATION_MISMATCH',
        `the annotation ${key} is ${actual === undefined ? 'not signed' : `"${actual}"`}, the policy requires "${value}"`,
      )
  }
}
