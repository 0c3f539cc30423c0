// The cases of the specification that must be refused, by their numbers: what services answer when something is signed, and half-done work.
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  basicConstraints,
  createKeyPair,
  extendedKeyUsage,
  keyUsage,
} from '../../mocks/sigstore/certificates.ts'
import { createSigstoreInstance, type SigstoreFlaws } from '../../mocks/sigstore/instance.ts'
import { digestOf } from '../../src/bytes/digest.ts'
import { SpindleError } from '../../src/errors.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createKeylessSigner } from '../../src/trust/keyless/keyless.ts'
import { formatPublicKey, generateKeyPair } from '../../src/trust/keys/private-key.ts'
import { createKeySigner, type Signer } from '../../src/trust/keys/signer.ts'
import { verify } from '../../src/verbs/verify.ts'
import { sign } from '../../src/verbs/sign.ts'
import type { Descriptor } from '../../src/types.ts'
import {
  collect,
  createArtifact,
  IDENTITY,
  ISSUER,
  keylessSigner,
  type MemoryStore,
} from './trust-fixture.ts'

const TIME_STAMPING = '1.3.6.1.5.5.7.3.8'
let signer: Signer
let key: string
let store: MemoryStore
let artifact: Descriptor
beforeAll(async () => {
  const pair = await generateKeyPair()
  signer = await createKeySigner(pair)
  key = await formatPublicKey(pair.publicKey)
})
beforeEach(async () => {
  store = createMemoryStore()
  artifact = await createArtifact(store)
})
const at = (): { store: MemoryStore; ref: string } => ({ store, ref: artifact.digest })

describe('signing is refused, and nothing is written', () => {
  async function attempt(
    flaws: SigstoreFlaws,
    options: { version?: 1 | 2; claims?: Record<string, unknown>; fromTheStart?: boolean } = {},
  ): Promise<unknown> {
    const sigstore = await createSigstoreInstance(options.fromTheStart === true ? { flaws } : {})
    sigstore.flaws = flaws
    const before = await collect(store.referrers(artifact))
    const failure = await sign(at(), keylessSigner(sigstore, options.version, options.claims), {
      attach: options.version === 2 ? 'referrer' : 'both',
      reference: 'r/a',
    }).then(
      () => 'it signed',
      (error: unknown) => error,
    )
    expect(await collect(store.referrers(artifact))).toEqual(before)
    await expect(store.resolve(`${artifact.digest.replace(':', '-')}.sig`)).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
    })
    return failure
  }
  const past = Math.floor(Date.now() / 1000) - 1

  it.each<[string, Record<string, unknown>]>([
    ['an expired token', { exp: past }],
    ['a token for another audience', { aud: 'other' }],
    ['a token whose address was not verified', { email_verified: false }],
  ])('87: with %s', async (_, claims) => {
    expect(await attempt({}, { claims })).toMatchObject({ code: 'ERR_CREDENTIALS_INVALID' })
  })

  it.each<[string, SigstoreFlaws, string]>([
    [
      '66: a certificate that is not for signing code',
      { certificate: { leafUsages: ['1.3.6.1.5.5.7.3.1'] } },
      'CERT_CHAIN',
    ],
    [
      '68: a certificate with an unknown critical extension',
      {
        certificate: {
          leafExtensions: [{ id: '1.2.3.4', critical: true, value: Uint8Array.of(5, 0) }],
        },
      },
      'CERT_CHAIN',
    ],
    [
      'bounds on names that nobody here keeps to, though not critical',
      {
        certificate: {
          leafExtensions: [{ id: '2.5.29.30', critical: false, value: Uint8Array.of(0x30, 0) }],
        },
      },
      'CERT_CHAIN',
    ],
    [
      '88: a certificate without proof of logging',
      { certificate: { scts: 'none' } },
      'SCT_MISSING',
    ],
    ['69: a certificate that was not logged', { certificate: { scts: 'none' } }, 'SCT_MISSING'],
    [
      '69: a certificate whose proof of logging is altered',
      { certificate: { scts: 'altered' } },
      'SCT_INVALID',
    ],
    [
      '69: a certificate that an unknown log logged',
      { certificate: { scts: 'unknown' } },
      'SCT_INVALID',
    ],
    [
      '69: the proof of logging of another certificate',
      { certificate: { scts: 'other-certificate' } },
      'SCT_INVALID',
    ],
    [
      '70: a certificate with two names',
      { certificate: { names: [{ email: IDENTITY }, { email: 'other@example.org' }] } },
      'IDENTITY_MISMATCH',
    ],
    [
      '71: a certificate with two issuers',
      { certificate: { issuers: [ISSUER, 'https://other.test'] } },
      'ISSUER_MISMATCH',
    ],
    ['22: an altered signed entry timestamp', { rekor: 'altered-set' }, 'TLOG_SET_INVALID'],
    [
      '64: a time before the certificate',
      { certificate: { notBefore: new Date(Date.now() + 60_000) } },
      'CERT_TIME',
    ],
    [
      '64: a time after the certificate',
      { certificate: { notBefore: new Date(Date.now() - 3_600_000) } },
      'CERT_TIME',
    ],
    ['65: a log that saw it when the certificate was over', { rekor: 'late' }, 'CERT_TIME'],
    [
      '65: a timestamp outside the certificate',
      { timestamp: { at: new Date(Date.now() + 3_600_000) } },
      'CERT_TIME',
    ],
    [
      '73: a timestamp over other data',
      { timestamp: { imprint: new Uint8Array(32) } },
      'TIMESTAMP_INVALID',
    ],
    [
      '75: a timestamp outside its authority',
      { timestamp: { at: new Date('2040-01-01T00:00:00Z') } },
      'TIMESTAMP_INVALID',
    ],
    ['76: a timestamp with two signers', { timestamp: { signers: 2 } }, 'TIMESTAMP_INVALID'],
    ['78: a timestamp with another nonce', { timestamp: { nonce: 7 } }, 'TIMESTAMP_INVALID'],
    ['89: an entry for other content', { rekor: 'other-entry' }, 'TLOG_ENTRY_MISMATCH'],
  ])('for %s', async (_, flaws, reason) => {
    expect(await attempt(flaws)).toMatchObject({ reason })
  })

  it('89: for an entry of version 2 for other content', async () => {
    expect(await attempt({ rekor: 'other-entry' }, { version: 2 })).toMatchObject({
      reason: 'TLOG_ENTRY_MISMATCH',
    })
  })

  it.each<[string, SigstoreFlaws, string]>([
    [
      '67: an issuer that is no authority',
      { certificate: { intermediate: [basicConstraints(false), keyUsage('keyCertSign')] } },
      'CERT_CHAIN',
    ],
    [
      '67: an authority above that allows none below it',
      { certificate: { root: [basicConstraints(true, 0), keyUsage('keyCertSign')] } },
      'CERT_CHAIN',
    ],
    [
      '67: an issuer that may not sign certificates',
      { certificate: { intermediate: [basicConstraints(true, 0), keyUsage('digitalSignature')] } },
      'CERT_CHAIN',
    ],
    [
      '66: an issuer for another use',
      {
        certificate: {
          intermediate: [
            basicConstraints(true, 0),
            keyUsage('keyCertSign'),
            extendedKeyUsage('1.3.6.1.5.5.7.3.1'),
          ],
        },
      },
      'CERT_CHAIN',
    ],
    ...(
      [
        ['for another use', [extendedKeyUsage('1.3.6.1.5.5.7.3.3')]],
        ['for other uses too', [extendedKeyUsage(TIME_STAMPING, '1.3.6.1.5.5.7.3.3')]],
        ['whose use others may ignore', [{ ...extendedKeyUsage(TIME_STAMPING), critical: false }]],
        ['that issues others', [extendedKeyUsage(TIME_STAMPING), basicConstraints(true)]],
      ] as const
    ).map(([which, extensions]): [string, SigstoreFlaws, string] => [
      `77: a timestamp by a certificate ${which}`,
      { timestamp: { extensions } },
      'TIMESTAMP_INVALID',
    ]),
  ])('for %s', async (_, flaws, reason) => {
    expect(await attempt(flaws, { fromTheStart: true })).toMatchObject({ reason })
  })

  it('88: for a certificate of another key', async () => {
    expect(await attempt({ certificate: { spki: (await createKeyPair()).spki } })).toMatchObject({
      code: 'ERR_SIGNATURE_INVALID',
      message: expect.stringContaining('another key'),
    })
  })

  it('88: for a certificate of a foreign authority', async () => {
    const [sigstore, foreign] = await Promise.all([
      createSigstoreInstance(),
      createSigstoreInstance(),
    ])
    const lured = createKeylessSigner({
      fetch: sigstore.fetch,
      services: sigstore.services,
      trustedRoot: foreign.trustedRoot(),
      identityToken: () => sigstore.issueToken(),
    })
    await expect(sign(at(), lured)).rejects.toMatchObject({ reason: 'CERT_CHAIN' })
  })

  it('88: for a token that Fulcio does not believe', async () => {
    const [sigstore, foreign] = await Promise.all([
      createSigstoreInstance(),
      createSigstoreInstance(),
    ])
    const liar = createKeylessSigner({
      fetch: sigstore.fetch,
      services: sigstore.services,
      trustedRoot: sigstore.trustedRoot(),
      identityToken: () => foreign.issueToken(),
    })
    const failure = await sign(at(), liar).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'ERR_UNAUTHORIZED', status: 401 })
    expect((failure as Error).message).not.toContain(await foreign.issueToken())
  })

  it('when a service is down, after it was asked again', async () => {
    const sigstore = await createSigstoreInstance()
    sigstore.flaws = { rekor: 'unavailable' }
    await expect(sign(at(), keylessSigner(sigstore))).rejects.toMatchObject({
      code: 'ERR_RESPONSE',
      status: 503,
    })
    expect(sigstore.requests.filter((request) => request.includes('/log/entries'))).toHaveLength(3)
  })
})

describe('signing', () => {
  it('90: takes the entry that is there already', async () => {
    const sigstore = await createSigstoreInstance()
    // A signer whose signatures are always the same makes the same entry twice.
    const memory = new Map<string, Uint8Array>()
    const repeating: Signer = {
      ...signer,
      sign: async (bytes) => {
        const name = await digestOf(bytes)
        const made = memory.get(name) ?? (await signer.sign(bytes))
        memory.set(name, made)
        return made
      },
    }
    const { createCountersigner } = await import('../../src/trust/keyless/keyless.ts')
    const countersigner = createCountersigner({
      fetch: sigstore.fetch,
      services: sigstore.services,
      trustedRoot: sigstore.trustedRoot(),
    })
    for (let i = 0; i < 2; i++)
      await sign(at(), repeating, { attach: 'tag', reference: 'r/a', countersigner })
    expect(
      sigstore.requests.some((request) => request.startsWith('GET /api/v1/log/entries/')),
    ).toBe(true)
    await verify(at(), { key, trustedRoot: sigstore.trustedRoot(), formats: ['legacy'] })
  })

  it('91: half-written says what was written', async () => {
    const failing: MemoryStore = {
      ...store,
      push: async (expected, body, options) => {
        if (expected.mediaType.includes('simplesigning'))
          throw new SpindleError('ERR_UNAUTHORIZED', 'not allowed')
        return store.push(expected, body, options)
      },
    }
    const failure = await sign({ store: failing, ref: artifact.digest }, signer, {
      attach: 'both',
      reference: 'r/a',
    }).catch((error: unknown) => error)
    const [written] = await collect(store.referrers(artifact))
    expect(failure).toMatchObject({
      code: 'ERR_UNAUTHORIZED',
      message: expect.stringContaining(written!.digest),
    })
  })
})
