/** From a leaf certificate to an anchor. @see https://www.rfc-editor.org/rfc/rfc5280#section-6 */
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
/** Go's verifier keeps to these whether critical or not: who can't may not overlook them. */
const NAME_CONSTRAINTS = '2.5.29.30'
const EXTENDED_KEY_USAGE = '2.5.29.37'
/** Extensions whose meaning is enforced here; any other critical one is refused. */
const UNDERSTOOD = [KEY_USAGE, SUBJECT_ALT_NAME, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE]

export const CODE_SIGNING = '1.3.6.1.5.5.7.3.3'
export const TIME_STAMPING = '1.3.6.1.5.5.7.3.8'
const ANY_USAGE = '2.5.29.37.0'

/** Longest chain examined: public good has three. */
export const MAX_PATH = 10

/** One certificate authority of a trusted root. */
export interface Authority {
  readonly uri: string
  /** Leaf-most first, the anchor last. */
  readonly chain: readonly Certificate[]
  /** In milliseconds since 1970, both inclusive. */
  readonly start: number
  readonly end: number
}

/**
 * The path from a leaf to the authority's anchor, leaf first.
 *
 * Only names, signatures, constraints and usages; times are `assertPathTime`'s.
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
  assertUnderstood(leaf)
  const usages = usagesOf(leaf)
  // Who signs times does nothing else, and nobody may overlook that: RFC 3161, 2.3.
  if (
    !usages?.includes(usage) ||
    (usage === TIME_STAMPING &&
      (usages.length > 1 ||
        !leaf.extensions.get(EXTENDED_KEY_USAGE)!.critical ||
        constraintsOf(leaf)))
  )
    throw broken('the certificate is for another use')
  for (;;) {
    const last = path.at(-1)!
    if (sameBytes(last.raw, anchor.raw)) return path
    if (path.length === MAX_PATH) throw broken('the chain is too long')
    let issuer: Certificate | undefined
    for (const candidate of candidates) {
      if (path.some((seen) => sameBytes(seen.raw, candidate.raw))) continue
      if (await isIssuedBy(last, candidate)) {
        issuer = candidate
        break
      }
    }
    if (issuer === undefined) throw broken('the certificate does not chain to the trusted root')
    // Certificates between the leaf and this one: they must fit its path length.
    assertAuthority(issuer, path.length - 1, usage)
    path.push(issuer)
  }
}

/** @throws `SignatureInvalid` `CERT_TIME` unless the authority and every certificate were valid then. */
export function assertPathTime(
  path: readonly Certificate[],
  authority: Authority,
  at: number,
): void {
  if (at < authority.start || at > authority.end)
    throw new SignatureInvalid(
      'CERT_TIME',
      `the trusted root did not trust this authority at ${isoTime(at)}`,
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

/** For messages. */
function isoTime(at: number): string {
  return new Date(at).toISOString()
}

function assertUnderstood(certificate: Certificate): void {
  for (const [id, { critical }] of certificate.extensions)
    if (id === NAME_CONSTRAINTS || (critical && !UNDERSTOOD.includes(id)))
      throw broken(`the extension ${id} is unknown`)
}

/** What an authority says of itself, the length of its paths second; nothing for who is none. */
export function constraintsOf({ extensions }: Certificate): readonly Der[] | undefined {
  const constraints = extensions.get(BASIC_CONSTRAINTS)
  const fields = constraints && derMembers(constraints.value)
  return fields?.[0] && derBoolean(fields[0]) ? fields : undefined
}

function assertAuthority(certificate: Certificate, below: number, usage: string): void {
  assertUnderstood(certificate)
  const constraints = constraintsOf(certificate)
  const keyUsage = certificate.extensions.get(KEY_USAGE)
  // Bit 5, keyCertSign. Unused trailing bits are cut off in DER, hence the first byte is read raw.
  if (!constraints || (keyUsage && ((parseDer(keyUsage.value).value[1] ?? 0) & 0x04) === 0))
    throw broken('an issuer may not sign certificates')
  if (constraints[1] !== undefined && derSmallInteger(constraints[1]) < below)
    throw broken('the chain is too long')
  const usages = usagesOf(certificate)
  if (usages !== undefined && !usages.includes(usage) && !usages.includes(ANY_USAGE))
    throw broken('an issuer is for another use')
}

function usagesOf(certificate: Certificate): string[] | undefined {
  const extension = certificate.extensions.get(EXTENDED_KEY_USAGE)
  return extension && derMembers(extension.value).map(derOid)
}

function broken(message: string): SignatureInvalid {
  return new SignatureInvalid('CERT_CHAIN', message)
}
