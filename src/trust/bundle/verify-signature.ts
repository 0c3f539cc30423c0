/** Verifies one signature of any format against one rule of a policy. */
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

/** A signature with its certificates, log entries and timestamps. */
export interface Evidence {
  readonly signature: Uint8Array
  /** The signed content. */
  readonly data: Covered
  /** The payload of a DSSE envelope. */
  readonly payload?: Uint8Array
  /** Verifies over a digest, and Ed25519ph. */
  readonly verifyDigest?: DigestVerifier | undefined
  /** Leaf first; empty for a signature with a key. */
  readonly certificates: readonly Certificate[]
  readonly entries: readonly LogEntry[]
  /** DER TimeStampResp. */
  readonly timestamps: readonly Uint8Array[]
}

/** The verified signer: a key, or the identity in a certificate. */
export type SignedBy =
  | {
      /** Signed with a key of the policy. */
      readonly kind: 'key'
      /** SHA-256 of the public key's SPKI, hexadecimal. */
      readonly keyId: string
    }
  | ({
      /** Signed with a certificate of a trusted authority. */
      readonly kind: 'certificate'
      /** Start of the certificate's validity. */
      readonly notBefore: Date
      /** End of the certificate's validity. */
      readonly notAfter: Date
    } & CertificateIdentity)

/** A verified time of signing. */
export interface TrustedTime {
  /** A transparency log's signed entry timestamp, or a timestamp of a timestamp authority. */
  readonly source: 'log' | 'authority'
  /** URL of the log or authority in the trusted root. */
  readonly uri: string
  /** The time in the log entry or timestamp. */
  readonly at: Date
}

/** Signer, times and log entries of a verified signature. */
export interface Proof {
  /** Key or identity that signed. */
  readonly signer: SignedBy
  /** Every verified time of signing; can be empty for a key, and with `time: 'now'`. */
  readonly times: readonly TrustedTime[]
  /** The verified log entries. */
  readonly logEntries: ReadonlyArray<Omit<VerifiedLogEntry, 'at'>>
}

/**
 * Verifies a signature and everything that came with it.
 * @throws `SignatureInvalid` for the first check that fails.
 */
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
    'the signature does not verify with the key of the policy: another key signed, or other content',
  )
  for (const candidate of keys) {
    try {
      if (await verifies(candidate, evidence)) key ??= candidate
    } catch (cause) {
      // An unsupported key fails only signatures that no other key verifies.
      failure = cause
    }
  }
  if (key === undefined) throw failure
  const [leaf] = evidence.certificates
  const verifiers =
    leaf !== undefined && sameBytes(leaf.spki, key.spki) ? [key.spki, leaf.raw] : [key.spki]
  // Without a trusted root, entries and timestamps cannot be verified, and are not reported.
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
    throw new SignatureInvalid(
      'KEY_MISMATCH',
      'the signature was made with a key, but the policy requires a certificate (`identity`)',
    )
  const entries = await verifyEntries(evidence, rule, [leaf.raw])
  const proven = timesOf(entries, await verifyTimestamps(evidence, rule))

  // The certificate has to be valid at every trusted time, not just at one of them.
  const times = proven.times.map(({ at }) => at.getTime())
  if (wanted.time === 'now') times.push(Date.now())
  const asked =
    wanted.time === 'log' || wanted.time === 'authority'
      ? proven.times.filter(({ source }) => source === wanted.time)
      : times
  if (asked.length === 0)
    throw new SignatureInvalid(
      'TIMESTAMP_MISSING',
      wanted.time === 'any' || wanted.time === 'now'
        ? 'the signature has no trusted time: neither a signed entry timestamp nor a timestamp of a trusted authority'
        : `the signature has no trusted time from a ${wanted.time === 'log' ? 'transparency log' : 'timestamp authority'}, which the policy requires`,
    )
  const path = await findPath(leaf, intermediates, root, times)
  for (const { logId, promise } of evidence.entries) {
    // An entry with a signed entry timestamp was checked at that time; check the others at all trusted times.
    const log = root.tlogs.find(({ id }) => id === logId)!
    if (promise === undefined && !times.every((at) => validAt(log, at)))
      throw new SignatureInvalid(
        'TLOG_UNKNOWN_LOG',
        'the trusted root does not trust this transparency log at the time of signing',
      )
  }
  if (wanted.requireSct) await verifyScts(leaf, path[1] ?? leaf, root.ctlogs)

  const identity = parseIdentity(leaf)
  if (!matches(wanted.identity, identity.identity))
    throw new SignatureInvalid(
      'IDENTITY_MISMATCH',
      `the signer ${identity.identity} does not match the policy's \`identity\``,
    )
  if (!matches(wanted.issuer, identity.issuer))
    throw new SignatureInvalid(
      'ISSUER_MISMATCH',
      identity.issuer === undefined
        ? 'the certificate names no issuer of the identity, but the policy requires one'
        : `the identity's issuer ${identity.issuer} does not match the policy's \`issuer\``,
    )
  for (const [name, value] of Object.entries(wanted.extensions)) {
    // An inherited property is never a string, so it does not equal the wanted value.
    const actual = identity.extensions[name as keyof typeof identity.extensions]
    if (actual !== value)
      throw new SignatureInvalid(
        'EXTENSION_MISMATCH',
        `the certificate extension ${name} is ${actual ?? 'absent'}, the policy requires ${value}`,
      )
  }
  if (!(await verifies(publicKeyOf(leaf), evidence)))
    throw new SignatureInvalid(
      'SIGNATURE_INVALID',
      'the signature does not verify with the key of the certificate: the content was changed',
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
      // Report the authority that issued the certificate rather than one that did not.
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
    throw new SignatureInvalid(
      'TLOG_MISSING',
      'the signature has no log entry, but the policy requires one (`requireTransparencyLog`)',
    )
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
        'the bundle is over bare bytes, which WebCrypto can verify only with the content: pass the artifact, or the option `verifyDigest` with the function of `spindle/verify-digest`',
      )
    if (await key.verifyDigest(signature, data, verifyDigest)) return true
    if (key.kind === 'Ed25519')
      throw new SignatureInvalid(
        'UNSUPPORTED_ALGORITHM',
        'the signature is not an Ed25519ph signature over this digest, and plain Ed25519 needs the content: pass the artifact',
      )
    return false
  }
  for (const name of key.hashes) {
    if (await key.verify(signature, data, name)) return true
  }
  // Signatures over bare bytes can be Ed25519ph, which logs of digests require; envelopes use plain Ed25519.
  if (key.kind !== 'Ed25519' || verifyDigest === undefined || payload !== undefined) return false
  const digest = { hash: 'SHA-512', value: await hash('SHA-512', data) } as const
  return key.verifyDigest(signature, digest, verifyDigest)
}
