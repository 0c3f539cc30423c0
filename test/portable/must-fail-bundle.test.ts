// The cases of the specification that a verifier must refuse, by their numbers: what a bundle is made of.
import { beforeAll, describe, it } from 'vitest'
import { formatBase64, parseBase64 } from '../../src/bytes/base64.ts'
import { concat } from '../../src/bytes/stream.ts'
import { verifyBundle } from '../../src/trust/bundle/verify-bundle.ts'
import { entry, flip, refuse } from './edited-bundles.ts'
import { type Json, type Keyless, signKeyless } from './trust-fixture.ts'

let v1: Keyless
let v2: Keyless
beforeAll(async () => {
  v1 = await signKeyless()
  v2 = await signKeyless({ version: 2 })
})

type Edit = (bundle: Json) => unknown

describe('a bundle is refused', () => {
  it.each<[string, Edit, string]>([
    [
      '32: of an unknown version',
      (b) => (b.mediaType = 'application/vnd.dev.sigstore.bundle.v0.4+json'),
      'BUNDLE_UNSUPPORTED_VERSION',
    ],
    [
      '33: of version 0.3 with a certificate chain',
      ({ verificationMaterial: m }) => (
        (m.x509CertificateChain = { certificates: [m.certificate] }),
        delete m.certificate
      ),
      'BUNDLE_MALFORMED',
    ],
    [
      '35: with both kinds of content',
      (b) =>
        (b.messageSignature = {
          signature: 'AA==',
          messageDigest: { algorithm: 'SHA2_256', digest: 'AA==' },
        }),
      'BUNDLE_MALFORMED',
    ],
    ['35: with no content', (b) => delete b.dsseEnvelope, 'BUNDLE_MALFORMED'],
    [
      '35: with a key and a certificate',
      (b) => (b.verificationMaterial.publicKey = { hint: 'x' }),
      'BUNDLE_MALFORMED',
    ],
    ['36: with no envelope signature', (b) => (b.dsseEnvelope.signatures = []), 'BUNDLE_MALFORMED'],
    [
      '36: with two envelope signatures',
      (b) => b.dsseEnvelope.signatures.push(b.dsseEnvelope.signatures[0]),
      'BUNDLE_MALFORMED',
    ],
    ['40: with a negative integer', (b) => (entry(b).logIndex = '-1'), 'BUNDLE_MALFORMED'],
    ['40: with a fraction', (b) => (entry(b).integratedTime = 1.5), 'BUNDLE_MALFORMED'],
    ['40: with an exponent', (b) => (entry(b).logIndex = '1e3'), 'BUNDLE_MALFORMED'],
    [
      '40: with an integer that has no exact number',
      (b) => (entry(b).logIndex = '9007199254740993'),
      'BUNDLE_MALFORMED',
    ],
    ['41: with damaged base64', (b) => (b.dsseEnvelope.payload += '*'), 'BUNDLE_MALFORMED'],
    [
      '42: with one log entry twice',
      (b) => b.verificationMaterial.tlogEntries.push(entry(b)),
      'BUNDLE_MALFORMED',
    ],
    [
      '43: with more than 32 log entries',
      (b) => (b.verificationMaterial.tlogEntries = Array.from({ length: 33 }, () => entry(b))),
      'BUNDLE_MALFORMED',
    ],
    [
      '44: with a flipped bit in the payload',
      (b) => (b.dsseEnvelope.payload = flip(b.dsseEnvelope.payload)),
      'TLOG_ENTRY_MISMATCH',
    ],
    [
      '44: with a flipped bit in the signature',
      (b) => (b.dsseEnvelope.signatures[0].sig = flip(b.dsseEnvelope.signatures[0].sig)),
      'TLOG_ENTRY_MISMATCH',
    ],
    [
      '45: with bytes behind its signature',
      (b) =>
        (b.dsseEnvelope.signatures[0].sig = formatBase64(
          concat([parseBase64(b.dsseEnvelope.signatures[0].sig)!, Uint8Array.of(0)]),
        )),
      'TLOG_ENTRY_MISMATCH',
    ],
    ['49: without an inclusion proof', (b) => delete entry(b).inclusionProof, 'TLOG_PROOF_INVALID'],
    [
      '50: with a proof without a checkpoint',
      (b) => delete entry(b).inclusionProof.checkpoint,
      'TLOG_CHECKPOINT_INVALID',
    ],
    [
      '53: with a wrong hash in its proof',
      (b) => (entry(b).inclusionProof.hashes[0] = flip(entry(b).inclusionProof.hashes[0])),
      'TLOG_PROOF_INVALID',
    ],
    ['53: with a hash missing', (b) => entry(b).inclusionProof.hashes.pop(), 'TLOG_PROOF_INVALID'],
    [
      '53: with a hash too many',
      (b) => entry(b).inclusionProof.hashes.push(entry(b).inclusionProof.hashes[0]),
      'TLOG_PROOF_INVALID',
    ],
    [
      '54: with an index outside its tree',
      (b) => (entry(b).inclusionProof.logIndex = entry(b).inclusionProof.treeSize),
      'TLOG_PROOF_INVALID',
    ],
    [
      '54: with another index',
      (b) => (entry(b).inclusionProof.logIndex = '0'),
      'TLOG_PROOF_INVALID',
    ],
    [
      '55: with another root than its checkpoint',
      (b) => (entry(b).inclusionProof.rootHash = flip(entry(b).inclusionProof.rootHash)),
      'TLOG_CHECKPOINT_INVALID',
    ],
    [
      '57: with another kind than its entry',
      (b) => (entry(b).kindVersion.kind = 'intoto'),
      'TLOG_ENTRY_MISMATCH',
    ],
    [
      '57: with another version than its entry',
      (b) => (entry(b).kindVersion.version = '0.0.2'),
      'TLOG_ENTRY_MISMATCH',
    ],
    [
      '22: with an altered signed entry timestamp',
      (b) =>
        (entry(b).inclusionPromise.signedEntryTimestamp = flip(
          entry(b).inclusionPromise.signedEntryTimestamp,
        )),
      'TLOG_SET_INVALID',
    ],
    [
      '23: with another time than was promised',
      (b) => (entry(b).integratedTime = String(Number(entry(b).integratedTime) + 1)),
      'TLOG_SET_INVALID',
    ],
    [
      '73: with a timestamp over other data',
      (b) =>
        (b.verificationMaterial.timestampVerificationData =
          v2.bundle().verificationMaterial.timestampVerificationData),
      'TIMESTAMP_INVALID',
    ],
    ['30: without any log entry', (b) => delete b.verificationMaterial.tlogEntries, 'TLOG_MISSING'],
  ])('%s', async (_, edit, reason) => {
    const bundle = v1.bundle()
    edit(bundle)
    await refuse(verifyBundle(bundle, { digest: v1.artifact.digest }, v1.policy()), reason)
  })

  it('52: whose only time is one that nobody promised', async () => {
    const bundle = v1.bundle()
    delete entry(bundle).inclusionPromise
    delete bundle.verificationMaterial.timestampVerificationData
    await refuse(
      verifyBundle(bundle, { digest: v1.artifact.digest }, v1.policy()),
      'TIMESTAMP_MISSING',
    )
  })

  it('61: of a log of version 2 without a timestamp', async () => {
    const bundle = v2.bundle()
    delete bundle.verificationMaterial.timestampVerificationData
    await refuse(
      verifyBundle(bundle, { digest: v2.artifact.digest }, v2.policy()),
      'TIMESTAMP_MISSING',
    )
  })

  it('34: that brings a root certificate along', async () => {
    const bundle = v1.bundle()
    bundle.mediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.2'
    const root = v1.root().certificateAuthorities[0]!.certChain.certificates[1]
    bundle.verificationMaterial.x509CertificateChain = {
      certificates: [bundle.verificationMaterial.certificate, root],
    }
    delete bundle.verificationMaterial.certificate
    await refuse(verifyBundle(bundle, { digest: v1.artifact.digest }, v1.policy()), 'CERT_CHAIN')
  })
})
