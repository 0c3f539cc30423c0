// The cases of the specification that a verifier must refuse, by their numbers: whom a trusted root doesn't name.
import { beforeAll, describe, it } from 'vitest'
import { createSigstoreInstance } from '../../mocks/sigstore/instance.ts'
import { createTimestampAuthority } from '../../mocks/sigstore/timestamp-authority.ts'
import { formatBase64, parseBase64 } from '../../src/bytes/base64.ts'
import { rawDigestOf } from '../../src/bytes/digest.ts'
import { verifyBundle } from '../../src/trust/bundle/verify-bundle.ts'
import { refuse } from './edited-bundles.ts'
import { type Json, type Keyless, signKeyless } from './trust-fixture.ts'

let v1: Keyless
let other: Json
/** A certificate of the same timestamp authority that signed nothing. */
let sibling: string
beforeAll(async () => {
  v1 = await signKeyless()
  other = (await createSigstoreInstance()).trustedRoot()
  sibling = formatBase64(await v1.sigstore.timestamps.issue())
})

describe('a bundle is refused', () => {
  it.each([true, false])(
    '74: with a timestamp by who calls himself the authority, whose certificate is inside: %s',
    async (certificates) => {
      // Of the same name and serial number, and as good but for who signed it.
      const forger = await createTimestampAuthority({ clock: () => new Date(), flaws: () => ({}) })
      const bundle = v1.bundle()
      const signature = parseBase64(bundle.dsseEnvelope.signatures[0].sig)!
      const [stamped] = bundle.verificationMaterial.timestampVerificationData.rfc3161Timestamps
      stamped.signedTimestamp = formatBase64(
        await forger.stamp(await rawDigestOf(signature), { certificates }),
      )
      await refuse(
        verifyBundle(bundle, { digest: v1.artifact.digest }, v1.policy()),
        'TIMESTAMP_INVALID',
      )
    },
  )

  it.each<[string, (root: Json) => unknown, string]>([
    ['26: without its log', (r) => (r.tlogs = r.tlogs.slice(1)), 'TLOG_UNKNOWN_LOG'],
    [
      '60: whose log was trusted until before',
      (r) =>
        (r.tlogs[0].publicKey.validFor = {
          start: '2020-01-01T00:00:00Z',
          end: '2021-01-01T00:00:00Z',
        }),
      'TLOG_SET_INVALID',
    ],
    [
      '62: with a foreign certificate authority',
      (r) => (r.certificateAuthorities = other.certificateAuthorities),
      'CERT_CHAIN',
    ],
    ['62: with none', (r) => (r.certificateAuthorities = []), 'CERT_CHAIN'],
    [
      '63: whose authority was trusted until before',
      (r) => (r.certificateAuthorities[0].validFor.end = '2021-01-01T00:00:00Z'),
      'CERT_TIME',
    ],
    ['69: without the certificate’s log', (r) => (r.ctlogs = []), 'SCT_INVALID'],
    [
      '69: whose certificate log was trusted until before',
      (r) => (r.ctlogs[0].publicKey.validFor.end = '2021-01-01T00:00:00Z'),
      'SCT_INVALID',
    ],
    [
      '74: with a foreign timestamp authority',
      (r) => (r.timestampAuthorities = other.timestampAuthorities),
      'TIMESTAMP_INVALID',
    ],
    [
      '74: whose timestamp authority signs with another certificate',
      (r) => (r.timestampAuthorities[0].certChain.certificates[0].rawBytes = sibling),
      'TIMESTAMP_INVALID',
    ],
    [
      '75: whose timestamp authority was trusted until before',
      (r) => (r.timestampAuthorities[0].validFor.end = '2021-01-01T00:00:00Z'),
      'TIMESTAMP_INVALID',
    ],
    [
      '79: with a log that has no start',
      (r) => delete r.tlogs[0].publicKey.validFor.start,
      'TRUST_ROOT_INVALID',
    ],
    [
      '80: whose log has a key of an unsupported kind',
      (r) => (r.tlogs[0].publicKey.rawBytes = 'MAkwBAYCKgMDAQA='),
      'UNSUPPORTED_ALGORITHM',
    ],
  ])('under a trusted root %s', async (_, edit, reason) => {
    const trustedRoot = v1.root()
    edit(trustedRoot)
    await refuse(
      verifyBundle(v1.bundle(), { digest: v1.artifact.digest }, v1.policy({ trustedRoot })),
      reason,
    )
  })
})
