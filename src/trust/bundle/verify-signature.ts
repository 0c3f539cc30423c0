/** One signature against one rule, whatever form it was stored in. */
import { sameBytes } from '../../bytes/der.ts'
import { SignatureInvalid } from '../../errors.ts'
import type { Certificate } from '../x509/certificate.ts'
import { publicKeyOf } from '../x509/certificate.ts'
import { assertPathTime, buildPath, CODE_SIGNING } from '../x509/certificate-path.ts'
import { hash, type Covered } from '../keys/hash.ts'
import { matches, parseIdentity, type CertificateIdentity } from '../x509/identity.ts'
import type { Signed } from '../log/log-entry.ts'
import type { LoadedRule } from '../policy/load-policy.ts'
import { keyIdOf, type DigestVerifier, type PublicKey } from '../keys/public-key.ts'
import { verifyScts } from '../log/sct.ts'
import { verifyTimestamp } from '../time/timestamp.ts'
import { verifyLogEntry, type LogEntry, type VerifiedLogEntry } from '../log/transparency-log.ts'
import { validAt, type TrustedRoot } from '../root/trusted-root.ts'

/** A signature and all that came with it. */
export interface Evidence {
  readonly signature: Uint8Array
  /** What the signature covers. */
  readonly data: Covered
  /** The payload of an envelope. */
  readonly payload?: Uint8Array
  /** Verifies over a digest, and Ed25519ph. */
  readonly verifyDigest?: DigestVerifier | undefined
  /** Leaf first; empty when there is none. */
  readonly certificates: readonly Certificate[]
  readonly entries: readonly LogEntry[]
  readonly timestamps: readonly Uint8Array[]
}

export type SignedBy =
  /** `keyId` is the SHA-256 of the public key's SPKI, hexadecimal. */
  | { readonly kind: 'key'; readonly keyId: string }
  | ({
      readonly kind: 'certificate'
      readonly notBefore: Date
      readonly notAfter: Date
    } & CertificateIdentity)

export interface TrustedTime {
  readonly source: 'log' | 'authority'
  readonly uri: string
  readonly at: Date
}

/** What was proven. */
export interface Proof {
  readonly signer: SignedBy
  /** Who vouches for when it was signed; may be empty for a key. */
  readonly times: readonly TrustedTime[]
  readonly logEntries: ReadonlyArray<Omit<VerifiedLogEntry, 'at'>>
}

/** @throws `SignatureInvalid` for the first check that fails. */
export function verifyEvidence(evidence: Evidence, rule: LoadedRule): Promise<Proof> {
  return rule.keys === undefined
    ? verifyByCertificate(evidence, rule)
    : verifyByKey(evidence, rule, rule.keys)
}

async function verifyByKey(
  evidence: Evidence,
  rule: LoadedRule,
  keys: readonly PublicKey[],
): Promise<Proof> {
  let key: PublicKey | undefined
  let failure: unknown = new SignatureInvalid(
    'SIGNATURE_INVALID',
    'the signature was not made with the key over this content',
  )
  for (const candidate of keys) {
    try {
      if (await verifies(candidate, evidence)) key ??= candidate
    } catch (cause) {
      // A key that nobody here can use fails only what needs it.
      failure = cause
    }
  }
  if (key === undefined) throw failure
  const [leaf] = evidence.certificates
  const verifiers =
    leaf !== undefined && sameBytes(leaf.spki, key.spki) ? [key.spki, leaf.raw] : [key.spki]
  // Without a trusted root there is nothing to check entries and timestamps against, and nothing is claimed of them.
  const skip = rule.root === undefined
  const entries = skip ? [] : await verifyEntries(evidence, rule, verifiers)
  return {
    signer: { kind: 'key', keyId: await keyIdOf(key) },
    ...timesOf(entries, skip ? [] : await verifyTimestamps(evidence, rule)),
  }
}

async function verifyByCertificate(evidence: Evidence, rule: LoadedRule): Promise<Proof> {
  const [leaf, ...intermediates] = evidence.certificates
  const wanted = rule.certificate!
  const root = rule.root!
  if (leaf === undefined)
    throw new SignatureInvalid('KEY_MISMATCH', 'it is signed with a key, not a certificate')
  const entries = await verifyEntries(evidence, rule, [leaf.raw])
  const proven = timesOf(entries, await verifyTimestamps(evidence, rule))

  // Every time that somebody trusted vouches for has to fit, not only the kindest.
  const times = proven.times.map(({ at }) => at.getTime())
  if (wanted.time === 'now') times.push(Date.now())
  const asked =
    wanted.time === 'log' || wanted.time === 'authority'
      ? proven.times.filter(({ source }) => source === wanted.time)
      : times
  if (asked.length === 0)
    throw new SignatureInvalid(
      'TIMESTAMP_MISSING',
      'nobody trusted vouches for the time of signing',
    )
  const path = await findPath(leaf, intermediates, root, times)
  for (const { logId, promise } of evidence.entries) {
    // A log that promises a time was checked at that time; one that does not, at those of the authorities.
    const log = root.tlogs.find(({ id }) => id === logId)!
    if (promise === undefined && !times.every((at) => validAt(log, at)))
      throw new SignatureInvalid(
        'TLOG_UNKNOWN_LOG',
        'the trusted root did not trust this log at the time of signing',
      )
  }
  if (wanted.requireSct) await verifyScts(leaf, path[1] ?? leaf, root.ctlogs)

  const identity = parseIdentity(leaf)
  if (!matches(wanted.identity, identity.identity))
    throw new SignatureInvalid(
      'IDENTITY_MISMATCH',
      `it is signed by ${identity.identity}, whom the policy does not name`,
    )
  if (!matches(wanted.issuer, identity.issuer))
    throw new SignatureInvalid(
      'ISSUER_MISMATCH',
      `the signer's identity is vouched for by ${identity.issuer ?? 'nobody'}, whom the policy does not name`,
    )
  for (const [name, value] of Object.entries(wanted.extensions)) {
    // What a prototype has is no string, and so is never what is asked for.
    const actual = identity.extensions[name as keyof typeof identity.extensions]
    if (actual !== value)
      throw new SignatureInvalid(
        'EXTENSION_MISMATCH',
        `${name} of the certificate is ${actual ?? 'absent'}, not ${value}`,
      )
  }
  if (!(await verifies(publicKeyOf(leaf), evidence)))
    throw new SignatureInvalid(
      'SIGNATURE_INVALID',
      'the signature was not made with the key over this content',
    )
  return {
    signer: {
      kind: 'certificate',
      ...identity,
      notBefore: new Date(leaf.notBefore),
      notAfter: new Date(leaf.notAfter),
    },
    ...proven,
  }
}

async function findPath(
  leaf: Certificate,
  intermediates: readonly Certificate[],
  root: TrustedRoot,
  times: readonly number[],
): Promise<Certificate[]> {
  let failure = new SignatureInvalid(
    'CERT_CHAIN',
    'the certificate does not chain to the trusted root',
  )
  for (const authority of root.certificateAuthorities) {
    try {
      const path = await buildPath(leaf, authority, CODE_SIGNING, intermediates)
      for (const at of times) assertPathTime(path, authority, at)
      return path
    } catch (error) {
      if (!(error instanceof SignatureInvalid)) throw error
      // An authority that did issue it but at another time tells more than one that did not.
      if (failure.reason !== 'CERT_TIME') failure = error
    }
  }
  throw failure
}

async function verifyEntries(
  evidence: Evidence,
  rule: LoadedRule,
  verifiers: readonly Uint8Array[],
): Promise<VerifiedLogEntry[]> {
  if (evidence.entries.length === 0 && rule.requireTransparencyLog)
    throw new SignatureInvalid('TLOG_MISSING', 'the signature is in no transparency log')
  const signed: Signed = { ...evidence, verifiers }
  const entries: VerifiedLogEntry[] = []
  for (const entry of evidence.entries)
    entries.push(await verifyLogEntry(entry, signed, rule.root?.tlogs ?? []))
  return entries
}

async function verifyTimestamps(evidence: Evidence, rule: LoadedRule): Promise<TrustedTime[]> {
  const times: TrustedTime[] = []
  for (const timestamp of evidence.timestamps) {
    const { uri, at } = await verifyTimestamp(
      timestamp,
      evidence.signature,
      rule.root?.timestampAuthorities ?? [],
    )
    times.push({ source: 'authority', uri, at: new Date(at) })
  }
  return times
}

function timesOf(
  entries: readonly VerifiedLogEntry[],
  stamped: readonly TrustedTime[],
): Pick<Proof, 'times' | 'logEntries'> {
  const logged = entries.flatMap(({ log, at }): TrustedTime[] =>
    at === undefined ? [] : [{ source: 'log', uri: log, at: new Date(at) }],
  )
  return { times: [...logged, ...stamped], logEntries: entries.map(({ at: _, ...entry }) => entry) }
}

async function verifies(key: PublicKey, evidence: Evidence): Promise<boolean> {
  const { signature, data, payload, verifyDigest } = evidence
  if (!(data instanceof Uint8Array)) {
    if (verifyDigest === undefined)
      throw new SignatureInvalid(
        'UNSUPPORTED_ALGORITHM',
        'the bundle signs bare bytes, which WebCrypto verifies over the content only: hand over the artifact, or pass the option `verifyDigest` with that of `spindle/verify-digest`',
      )
    if (await key.verifyDigest(signature, data, verifyDigest)) return true
    if (key.kind === 'Ed25519')
      throw new SignatureInvalid(
        'UNSUPPORTED_ALGORITHM',
        'it is no Ed25519ph signature over this digest, and plain Ed25519 signs content: hand over the artifact',
      )
    return false
  }
  for (const name of key.hashes) {
    if (await key.verify(signature, data, name)) return true
  }
  // Bare bytes may be signed with Ed25519ph, as logs of digests want it; envelopes are not.
  if (key.kind !== 'Ed25519' || verifyDigest === undefined || payload !== undefined) return false
  const digest = { hash: 'SHA-512', value: await hash('SHA-512', data) } as const
  return key.verifyDigest(signature, digest, verifyDigest)
}
