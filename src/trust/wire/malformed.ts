import { SignatureInvalid, SpindleError, type SignatureReason } from '../../errors.ts'

/**
 * Converts errors of parsers to `SignatureInvalid`; returns other errors unchanged.
 * @param prefix Start of the message, before the parser's message.
 */
export function asSignatureInvalid(
  cause: unknown,
  reason: SignatureReason = 'BUNDLE_MALFORMED',
  prefix = 'the signature is malformed',
): unknown {
  return cause instanceof SpindleError &&
    (!(cause instanceof SignatureInvalid) || reason !== 'BUNDLE_MALFORMED')
    ? new SignatureInvalid(reason, `${prefix}: ${cause.message}`, { cause })
    : cause
}
