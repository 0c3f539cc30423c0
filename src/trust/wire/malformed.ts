import { SignatureInvalid, SpindleError, type SignatureReason } from '../../errors.ts'

/**
 * What a parser found wrong is wrong with the signature; errors of other kinds are not.
 * @param saying What an error begins with that is none about a signature yet.
 */
export function asSignatureInvalid(
  cause: unknown,
  reason: SignatureReason = 'BUNDLE_MALFORMED',
  saying = "the signature can't be read",
): unknown {
  return cause instanceof SpindleError &&
    (!(cause instanceof SignatureInvalid) || reason !== 'BUNDLE_MALFORMED')
    ? new SignatureInvalid(reason, `${saying}: ${cause.message}`, { cause })
    : cause
}
