import { SignatureInvalid } from '../../errors.ts'
import type { LoadedRule } from './load-policy.ts'
import type { SignatureFormat } from './policy.ts'

/** What a signature says about its artifact; absent where it says nothing. */
interface Claims {
  readonly format: SignatureFormat
  readonly predicateType?: string
  readonly reference?: string
  readonly annotations: Readonly<Record<string, string>>
}

/**
 * That a signature of any format says all that a rule asks for: what it has no place for, it does not say.
 * @throws `SignatureInvalid` `FORMAT_MISMATCH`, `PREDICATE_TYPE`, `REFERENCE_MISMATCH`, `ANNOTATION_MISMATCH`.
 */
export function assertClaims(claims: Claims, rule: LoadedRule): void {
  const { format, predicateType, reference, annotations } = claims
  if (!rule.formats.includes(format))
    throw new SignatureInvalid(
      'FORMAT_MISMATCH',
      `it is a signature of the format "${format}", the policy asks for "${rule.formats.join('" or "')}"`,
    )
  if (rule.predicateTypes !== undefined && predicateType === undefined)
    throw new SignatureInvalid(
      'PREDICATE_TYPE',
      'it signs bytes and no statement, the policy asks for a type of statement',
    )
  if (rule.predicateTypes?.includes(predicateType!) === false)
    throw new SignatureInvalid(
      'PREDICATE_TYPE',
      `statements of type ${predicateType} do not count as signatures here`,
    )
  if (rule.reference !== undefined && reference !== rule.reference)
    throw new SignatureInvalid(
      'REFERENCE_MISMATCH',
      `it signs the artifact ${reference === undefined ? 'without a name' : `as ${reference}`}, the policy asks for ${rule.reference}`,
    )
  for (const [key, value] of rule.annotations) {
    const actual = annotations[key]
    if (actual !== value)
      throw new SignatureInvalid(
        'ANNOTATION_MISMATCH',
        `the annotation ${key} is ${actual === undefined ? 'not signed' : `"${actual}"`}, the policy asks for "${value}"`,
      )
  }
}
