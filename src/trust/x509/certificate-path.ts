/** Certification paths. @see https://www.rfc-editor.org/rfc/rfc5280#section-6 */
import {
  derBoolean,
  derOid,
  derSmallInteger,
  parseDer,
  sameBytes,
  type Der,
  derMembers,
} from '../../bytes/der.ts'
import { SignatureInvalid } from '../../errors.ts'
import { isIssuedBy, type Certificate } from './certificate.ts'

const KEY_USAGE = '2.5.29.15'
export const SUBJECT_ALT_NAME = '2.5.29.17'
const BASIC_CONSTRAINTS = '2.5.29.19'
/** Not implemented, so always rejected: Go's verifier enforces name constraints even if not critical. */
const NAME_CONSTRAINTS = '2.5.29.30'
const EXTENDED_KEY_USAGE = '2.5.29.37'
/** Extensions enforced by this verifier; any other critical extension is rejected. */
const SUPPORTED = [KEY_USAGE, SUBJECT_ALT_NAME, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE]

/** Extended key usages. */
export const CODE_SIGNING = '1.3.6.1.5.5.7.3.3'
export const TIME_STAMPING = '1.3.6.1.5.5.7.3.8'
const ANY_USAGE = '2.5.29.37.0'

/** Longest chain, in certificates: public-good sigstore has three. */
export const MAX_PATH = 10

/** One certificate authority of a trusted root. */
export interface Authority {
  readonly uri: string
  /** Issuing certificate first, anchor last. */
  readonly chain: readonly Certificate[]
  /** Milliseconds since 1970, both inclusive. */
  readonly start: number
  readonly end: number
}

/**
 * Builds the path from a leaf to the authority's anchor, leaf first.
 *
 * Checks names, signatures, constraints and key usages. `assertPathTime` checks validity periods.
 * @throws `SignatureInvalid` `CERT_CHAIN`.
 */
export async function buildPath(
  leaf: Certificate,
  authority: Authority,
  usage: string,
  intermediates: readonly Certificate[] = [],
): Promise<Certificate[]> {
  const anchor = authority.chain.at(-1)!
  const candidates = [...authority.chain, ...intermediates]
  const path = [leaf]
  assertSupportedExtensions(leaf)
  const usages = usagesOf(leaf)
  // A timestamping certificate has that usage only, in a critical extension: RFC 3161, 2.3.
  if (
    !usages?.includes(usage) ||
    (usage === TIME_STAMPING &&
      (usages.length > 1 ||
        !leaf.extensions.get(EXTENDED_KEY_USAGE)!.critical ||
        constraintsOf(leaf)))
  )
    throw chainError(
      `the certificate's extended key usage does not allow ${usage === CODE_SIGNING ? 'code signing' : 'timestamping'}`,
    )
  for (;;) {
    const last = path.at(-1)!
    if (sameBytes(last.raw, anchor.raw)) return path
    if (path.length === MAX_PATH)
      throw chainError(`the certificate chain is longer than ${MAX_PATH} certificates`)
    let issuer: Certificate | undefined
    for (const candidate of candidates) {
      if (path.some((seen) => sameBytes(seen.raw, candidate.raw))) continue
      if (await isIssuedBy(last, candidate)) {
        issuer = candidate
        break
      }
    }
    if (issuer === undefined) throw chainError('the certificate does not chain to the trusted root')
    // The path length constraint counts the certificates between the issuer and the leaf.
    assertAuthority(issuer, path.length - 1, usage)
    path.push(issuer)
  }
}

/** @throws `SignatureInvalid` `CERT_TIME` unless the authority and every certificate were valid at that time. */
export function assertPathTime(
  path: readonly Certificate[],
  authority: Authority,
  at: number,
): void {
  if (at < authority.start || at > authority.end)
    throw new SignatureInvalid(
      'CERT_TIME',
      `the trusted root does not trust this authority at ${isoTime(at)}`,
    )
  for (const certificate of path) {
    if (at < certificate.notBefore || at > certificate.notAfter) {
      throw new SignatureInvalid(
        'CERT_TIME',
        `a certificate of the chain was not valid at ${isoTime(at)}`,
      )
    }
  }
}

function isoTime(at: number): string {
  return new Date(at).toISOString()
}

function assertSupportedExtensions(certificate: Certificate): void {
  for (const [id, { critical }] of certificate.extensions)
    if (id === NAME_CONSTRAINTS || (critical && !SUPPORTED.includes(id)))
      throw chainError(`the certificate extension ${id} is not supported`)
}

/**
 * Fields of the basic constraints extension: the CA flag, then an optional path length. `undefined` for
 * a certificate that is not a CA.
 */
export function constraintsOf({ extensions }: Certificate): readonly Der[] | undefined {
  const constraints = extensions.get(BASIC_CONSTRAINTS)
  const fields = constraints && derMembers(constraints.value)
  return fields?.[0] && derBoolean(fields[0]) ? fields : undefined
}

function assertAuthority(certificate: Certificate, below: number, usage: string): void {
  assertSupportedExtensions(certificate)
  const constraints = constraintsOf(certificate)
  const keyUsage = certificate.extensions.get(KEY_USAGE)
  // Bit 5, keyCertSign. DER drops unused trailing bits, so read the first content byte directly.
  if (!constraints || (keyUsage && ((parseDer(keyUsage.value).value[1] ?? 0) & 0x04) === 0))
    throw chainError('an issuer in the chain is not allowed to sign certificates')
  if (constraints[1] !== undefined && derSmallInteger(constraints[1]) < below)
    throw chainError("the chain exceeds an issuer's path length constraint")
  const usages = usagesOf(certificate)
  if (usages !== undefined && !usages.includes(usage) && !usages.includes(ANY_USAGE))
    throw chainError(
      `an issuer's extended key usage does not allow ${usage === CODE_SIGNING ? 'code signing' : 'timestamping'}`,
    )
}

function usagesOf(certificate: Certificate): string[] | undefined {
  const extension = certificate.extensions.get(EXTENDED_KEY_USAGE)
  return extension && derMembers(extension.value).map(derOid)
}

function chainError(message: string): SignatureInvalid {
  return new SignatureInvalid('CERT_CHAIN', message)
}
