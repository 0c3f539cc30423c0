// The cases of the specification that must be refused, by their numbers: policies, registries, certificates, timestamps, signing.
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  basicConstraints,
  createKeyPair,
  extendedKeyUsage,
  keyUsage,
} from '../../mocks/sigstore/certificates.ts'
import { createSigstoreInstance, type SigstoreFlaws } from '../../mocks/sigstore/instance.ts'
import { digestOf } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { SpindleError } from '../../src/errors.ts'
import { EMPTY_DESCRIPTOR, IMAGE_INDEX, IMAGE_MANIFEST } from '../../src/oci/manifest.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createKeylessSigner } from '../../src/trust/keyless.ts'
import type { Policy } from '../../src/trust/policy.ts'
import { formatPublicKey, generateKeyPair, type WebKeyPair } from '../../src/trust/private-key.ts'
import { createKeySigner, type Signer } from '../../src/trust/signer.ts'
import { createVerifier, verify } from '../../src/verbs/verify.ts'
import { sign } from '../../src/verbs/sign.ts'
import type { Descriptor, ReadStore, ReferrerStore } from '../../src/types.ts'
import {
  collect,
  createArtifact,
  IDENTITY,
  ISSUER,
  type Json,
  type Keyless,
  keylessSigner,
  type MemoryStore,
  pushJson,
  signKeyless,
} from './trust-fixture.ts'

let pair: WebKeyPair
let signer: Signer
let key: string
let store: MemoryStore
let artifact: Descriptor
let policy: Policy
let keyless: Keyless
beforeAll(async () => {
  pair = await generateKeyPair()
  signer = await createKeySigner(pair)
  key = await formatPublicKey(pair.publicKey)
  policy = { key, requireTransparencyLog: false }
  keyless = await signKeyless({
    claims: { repository: 'team/app', ref: 'refs/heads/main', sha: 'f'.repeat(40) },
  })
})
beforeEach(async () => {
  store = createMemoryStore()
  artifact = await createArtifact(store)
})
const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json'
const at = (): { store: MemoryStore; ref: string } => ({ store, ref: artifact.digest })

describe('a policy is refused, whatever is stored', () => {
  it.each<[string, () => Json]>([
    ['1: with neither key nor identity', () => ({ trustedRoot: keyless.root() })],
    ['2: with key and identity', () => ({ ...keyless.policy(), key })],
    ['2: with key and issuer', () => ({ key, issuer: ISSUER, requireTransparencyLog: false })],
    [
      '3: with an identity without an issuer',
      () => ({ identity: IDENTITY, trustedRoot: keyless.root() }),
    ],
    [
      '4: with an issuer without an identity',
      () => ({ issuer: ISSUER, trustedRoot: keyless.root() }),
    ],
    ['5: with an empty identity', () => keyless.policy({ identity: '' })],
    ['5: with an empty issuer', () => keyless.policy({ issuer: '' })],
    ['5: with an empty pattern', () => keyless.policy({ identity: new RegExp('') })],
    [
      '5: with an empty extension',
      () => keyless.policy({ extensions: { githubWorkflowRepository: '' } }),
    ],
    ['6: with a threshold of 0', () => ({ ...keyless.policy(), threshold: 0 })],
    ['with a pattern that keeps state', () => keyless.policy({ identity: /dev/g })],
    ['with a pattern that a line could satisfy', () => keyless.policy({ identity: /dev/m })],
    ['with a key but neither log nor leave to do without', () => ({ key })],
    ['with no alternatives', () => ({ anyOf: [] })],
    ['with no requirements', () => ({ allOf: [] })],
    ['with no formats', () => ({ ...keyless.policy(), formats: [] })],
  ])('%s', async (_, make) => {
    await expect(verify(at(), make())).rejects.toThrow(TypeError)
    await expect(createVerifier(make())({ store, descriptor: artifact })).rejects.toThrow(TypeError)
  })
})

describe('an artifact is refused', () => {
  it('7: with no signature at all', async () => {
    await expect(verify(at(), policy)).rejects.toMatchObject({
      code: 'ERR_POLICY_REJECTED',
      reason: 'NO_SIGNATURES',
      rejected: [],
    })
    await expect(verify(at(), { anyOf: [policy, keyless.policy()] })).rejects.toMatchObject({
      reason: 'NO_SIGNATURES',
    })
  })

  /** The store, but some content is other than its descriptor says. */
  const lying = (about: (target: Descriptor) => boolean): ReadStore & ReferrerStore => ({
    ...store,
    fetch: async (target, options) => {
      if (!about(target)) return store.fetch(target, options)
      return new Blob([new Uint8Array(target.size)]).stream()
    },
  })
  const rejectedWith = (code: string): object => ({
    reason: 'NO_MATCHING_SIGNATURE',
    rejected: [{ error: { code } }],
  })

  it('8: with a payload that is not what its descriptor says', async () => {
    await sign(at(), signer, { attach: 'tag', reference: 'r/a' })
    const verdict = verify(
      {
        store: lying(({ mediaType }) => mediaType.includes('simplesigning')),
        ref: artifact.digest,
      },
      policy,
    )
    await expect(verdict).rejects.toMatchObject(rejectedWith('ERR_DIGEST_MISMATCH'))
  })

  it('9: with a bundle that is not what its descriptor says', async () => {
    await sign(at(), signer)
    const verdict = verify(
      { store: lying(({ mediaType }) => mediaType === BUNDLE), ref: artifact.digest },
      policy,
    )
    await expect(verdict).rejects.toMatchObject(rejectedWith('ERR_DIGEST_MISMATCH'))
  })

  /** A referrer around a good bundle, with a manifest of our making. */
  async function attachWith(edit: (manifest: Json) => void): Promise<Descriptor> {
    const elsewhere = createMemoryStore()
    await createArtifact(elsewhere)
    const { bundle } = await sign({ store: elsewhere, ref: artifact.digest }, signer)
    const layer = { mediaType: BUNDLE, digest: await digestOf(bundle!), size: bundle!.length }
    await store.push(layer, bundle!)
    const manifest = {
      schemaVersion: 2,
      mediaType: IMAGE_MANIFEST,
      artifactType: BUNDLE,
      config: EMPTY_DESCRIPTOR,
      layers: [layer],
      subject: artifact,
    }
    edit(manifest)
    return pushJson(store, manifest)
  }
  const listing = (referrer: Descriptor): ReadStore & ReferrerStore => ({
    ...store,
    referrers: async function* () {
      yield referrer
    },
  })

  it('10: with a referrer of something else', async () => {
    const referrer = await attachWith(
      (manifest) => (manifest.subject = { ...artifact, digest: EMPTY_DESCRIPTOR.digest }),
    )
    await expect(
      verify({ store: listing(referrer), ref: artifact.digest }, policy),
    ).rejects.toMatchObject({
      rejected: [{ error: { message: expect.stringContaining('about another artifact') } }],
    })
  })

  it('11: with a referrer of two layers', async () => {
    await attachWith((manifest) => manifest.layers.push(EMPTY_DESCRIPTOR))
    await expect(verify(at(), policy)).rejects.toMatchObject({
      rejected: [{ error: { message: expect.stringContaining('2 layers') } }],
    })
  })

  it('12: by what its tag names in the meantime', async () => {
    await sign(at(), signer)
    await store.tag(artifact, '1')
    const impostor = await createArtifact(store, 'impostor')
    let asked = 0
    const moving: ReadStore & ReferrerStore = {
      ...store,
      resolve: async (ref) => (ref === '1' && asked++ > 0 ? impostor : await store.resolve(ref)),
    }
    const { descriptor } = await verify({ store: moving, ref: '1' }, policy)
    expect([descriptor.digest, asked]).toEqual([artifact.digest, 1])
  })

  it.each(['referrers', 'tag'] as const)(
    '13: never, where the registry fails to answer for the %s',
    async (what) => {
      const failure = new SpindleError('ERR_NETWORK', 'gone')
      const failing: ReadStore & ReferrerStore = {
        ...store,
        ...(what === 'referrers' && {
          referrers: async function* () {
            yield* [] as Descriptor[]
            throw failure
          },
        }),
        resolve: async (ref) => {
          if (what === 'tag' && ref.endsWith('.sig')) throw failure
          return await store.resolve(ref)
        },
      }
      await expect(verify({ store: failing, ref: artifact.digest }, policy)).rejects.toBe(failure)
    },
  )

  it('14: with a manifest, a bundle or a list of referrers beyond all bounds', async () => {
    const huge = {
      mediaType: IMAGE_MANIFEST,
      digest: artifact.digest,
      size: 5 * 1024 * 1024,
      artifactType: BUNDLE,
    }
    await expect(
      verify({ store: listing(huge), ref: artifact.digest }, policy),
    ).rejects.toMatchObject(rejectedWith('ERR_LIMIT_EXCEEDED'))
    await attachWith((manifest) => (manifest.layers[0].size = 2 * 1024 * 1024))
    await expect(verify(at(), policy)).rejects.toMatchObject(rejectedWith('ERR_LIMIT_EXCEEDED'))
    const many: ReadStore & ReferrerStore = {
      ...store,
      referrers: async function* () {
        const plain = await createArtifact(store, 'plain')
        for (let i = 0; i < 300; i++)
          yield {
            ...plain,
            digest: `sha256:${i.toString(16).padStart(64, '0')}`,
            size: 1,
          } as Descriptor
      },
      fetch: async () => new Blob(['x']).stream(),
    }
    await expect(verify({ store: many, ref: artifact.digest }, policy)).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
    })
  })

  it('15: with the signature of another artifact', async () => {
    const other = await createArtifact(store, 'other')
    await sign({ store, ref: other.digest }, signer, { attach: 'tag', reference: 'r/a' })
    const moved = await store.resolve(`${other.digest.replace(':', '-')}.sig`)
    await store.tag(moved, `${artifact.digest.replace(':', '-')}.sig`)
    await expect(verify(at(), policy)).rejects.toMatchObject({
      rejected: [{ error: { reason: 'DIGEST_MISMATCH' } }],
    })
  })

  it('16: with a payload of another type', async () => {
    const { SIMPLE_SIGNING_TYPE, SIGNATURE_KEY } = await import('../../src/trust/media-types.ts')
    const { formatBase64 } = await import('../../src/bytes/base64.ts')
    const { signChecked } = await import('../../src/trust/signer.ts')
    const payload = encodeUtf8(
      JSON.stringify({
        critical: {
          identity: { 'docker-reference': '' },
          image: { 'docker-manifest-digest': artifact.digest },
          type: 'atomic container signature',
        },
        optional: null,
      }),
    )
    const layer = {
      mediaType: SIMPLE_SIGNING_TYPE,
      digest: await digestOf(payload),
      size: payload.length,
      annotations: { [SIGNATURE_KEY]: formatBase64(await signChecked(signer, payload)) },
    }
    await store.push(layer, payload)
    const manifest = await pushJson(store, {
      schemaVersion: 2,
      mediaType: IMAGE_MANIFEST,
      config: EMPTY_DESCRIPTOR,
      layers: [layer],
    })
    await store.tag(manifest, `${artifact.digest.replace(':', '-')}.sig`)
    await expect(verify(at(), policy)).rejects.toMatchObject({
      rejected: [{ error: { reason: 'PAYLOAD_TYPE' } }],
    })
  })

  it.each(['referrer', 'tag'] as const)(
    '21: signed with another key, attached as %s',
    async (attach) => {
      await sign(at(), await createKeySigner(await generateKeyPair()), { attach, reference: 'r/a' })
      await expect(verify(at(), policy)).rejects.toMatchObject({
        rejected: [{ error: { reason: 'SIGNATURE_INVALID' } }],
      })
    },
  )

  it.each(['referrer', 'tag'] as const)(
    '27: without the annotations that are asked for, attached as %s',
    async (attach) => {
      await sign(at(), signer, { attach, reference: 'r/a', annotations: { stage: 'test' } })
      for (const annotations of [{ stage: 'prod' }, { other: 'x' }, { constructor: 'x' }]) {
        await expect(verify(at(), { ...policy, annotations } as Policy)).rejects.toMatchObject({
          rejected: [{ error: { reason: 'ANNOTATION_MISMATCH' } }],
        })
      }
    },
  )

  it('28: signed under another name than is asked for', async () => {
    await sign(at(), signer, { attach: 'tag', reference: 'registry.test/other' })
    await expect(
      verify(at(), { key, requireTransparencyLog: false, reference: 'registry.test/app' }),
    ).rejects.toMatchObject({ rejected: [{ error: { reason: 'REFERENCE_MISMATCH' } }] })
  })

  it('31: with layers of another type only', async () => {
    const layer = {
      ...EMPTY_DESCRIPTOR,
      annotations: { 'dev.cosignproject.cosign/signature': 'AAAA' },
    }
    await store.tag(
      await pushJson(store, {
        schemaVersion: 2,
        mediaType: IMAGE_MANIFEST,
        config: EMPTY_DESCRIPTOR,
        layers: [layer],
      }),
      `${artifact.digest.replace(':', '-')}.sig`,
    )
    await expect(verify(at(), policy)).rejects.toMatchObject({ reason: 'NO_SIGNATURES' })
  })

  it('38: with an attestation by the right signer', async () => {
    const { formatBase64 } = await import('../../src/bytes/base64.ts')
    const { preAuthEncoding } = await import('../../src/trust/dsse.ts')
    const { signChecked } = await import('../../src/trust/signer.ts')
    const payload = encodeUtf8(
      JSON.stringify({
        _type: 'https://in-toto.io/Statement/v1',
        subject: [{ digest: { sha256: artifact.digest.slice(7) } }],
        predicateType: 'https://slsa.dev/provenance/v1',
        predicate: {},
      }),
    )
    const payloadType = 'application/vnd.in-toto+json'
    const sig = formatBase64(await signChecked(signer, preAuthEncoding(payloadType, payload)))
    const bundle = encodeUtf8(
      JSON.stringify({
        mediaType: BUNDLE,
        verificationMaterial: { publicKey: { hint: '' } },
        dsseEnvelope: { payload: formatBase64(payload), payloadType, signatures: [{ sig }] },
      }),
    )
    const layer = { mediaType: BUNDLE, digest: await digestOf(bundle), size: bundle.length }
    await store.push(layer, bundle)
    await pushJson(store, {
      schemaVersion: 2,
      mediaType: IMAGE_MANIFEST,
      artifactType: BUNDLE,
      config: EMPTY_DESCRIPTOR,
      layers: [layer],
      subject: artifact,
    })
    await expect(verify(at(), policy)).rejects.toMatchObject({
      rejected: [{ error: { reason: 'PREDICATE_TYPE' } }],
    })
    await verify(at(), { ...policy, predicateTypes: ['https://slsa.dev/provenance/v1'] } as Policy)
  })

  it('with fewer signers than the threshold, however often one signed', async () => {
    for (let i = 0; i < 3; i++) await sign(at(), signer, { attach: 'both', reference: 'r/a' })
    const other = await formatPublicKey((await generateKeyPair()).publicKey)
    await expect(
      verify(at(), { key: [key, other], requireTransparencyLog: false, threshold: 2 }),
    ).rejects.toMatchObject({
      reason: 'NO_MATCHING_SIGNATURE',
      message: expect.stringContaining('1 of 2 signers'),
    })
  })
})

describe('an artifact holds besides', () => {
  it('under an index by a tag whose descriptors have wrong types', async () => {
    await sign(at(), signer)
    const [referrer] = await collect(store.referrers(artifact))
    const { annotations: _, ...bare } = referrer!
    const index = await pushJson(
      store,
      {
        schemaVersion: 2,
        mediaType: IMAGE_INDEX,
        manifests: [{ ...bare, artifactType: EMPTY_DESCRIPTOR.mediaType }],
      },
      IMAGE_INDEX,
    )
    await store.tag(index, artifact.digest.replace(':', '-'))
    const { referrers: _api, ...withoutApi } = store
    expect(
      (await verify({ store: withoutApi, ref: artifact.digest }, policy)).signatures,
    ).toHaveLength(1)
  })

  it('when one of several signers is the right one, and says why the others are not', async () => {
    await sign(at(), await createKeySigner(await generateKeyPair()))
    await sign(at(), signer)
    const { signatures, rejected } = await verify(at(), policy)
    expect([signatures.length, rejected.length]).toEqual([1, 1])
  })

  it('when all parts of a policy do, or one alternative does', async () => {
    const { store: signed, artifact: target } = keyless
    await sign({ store: signed, ref: target.digest }, signer)
    const both = await verify(
      { store: signed, ref: target.digest },
      { allOf: [policy, keyless.policy()] },
    )
    expect(both.signatures.map((signature) => signature.signer.kind)).toEqual([
      'key',
      'certificate',
    ])
    const foreign = {
      key: await formatPublicKey((await generateKeyPair()).publicKey),
      requireTransparencyLog: false,
    } as const
    await verify({ store: signed, ref: target.digest }, { anyOf: [foreign, policy] })
    await expect(
      verify({ store: signed, ref: target.digest }, { allOf: [foreign, policy] }),
    ).rejects.toMatchObject({ code: 'ERR_POLICY_REJECTED' })
  })
})

describe('an identity is refused', () => {
  const reject = async (more: Parameters<Keyless['policy']>[0], reason: string): Promise<void> => {
    await expect(
      verify({ store: keyless.store, ref: keyless.artifact.digest }, keyless.policy(more)),
    ).rejects.toMatchObject({
      rejected: expect.arrayContaining([
        { source: expect.anything(), error: expect.objectContaining({ reason }) },
      ]),
    })
  }
  it.each<[string, string | RegExp]>([
    ['in another case', 'DEV@example.org'],
    ['that is a prefix', 'dev@example.or'],
    ['that is a suffix', 'ev@example.org'],
    ['by a pattern that fits a part', /dev@example/],
    ['by alternatives that fit a part', /x|dev/],
  ])('70: %s', async (_, identity) => reject({ identity }, 'IDENTITY_MISMATCH'))

  it('71: under another issuer', async () =>
    reject({ issuer: 'https://accounts.example' }, 'ISSUER_MISMATCH'))

  it.each([
    { githubWorkflowRepository: 'team/other' },
    { githubWorkflowRef: 'refs/heads/dev' },
    { githubWorkflowSha: '0'.repeat(40) },
    { githubWorkflowTrigger: 'push' },
  ])('72: with %j', async (extensions) => reject({ extensions }, 'EXTENSION_MISMATCH'))

  it('but holds with all that the certificate says', async () => {
    const extensions = {
      githubWorkflowRepository: 'team/app',
      githubWorkflowRef: 'refs/heads/main',
      githubWorkflowSha: 'f'.repeat(40),
    }
    await verify(
      { store: keyless.store, ref: keyless.artifact.digest },
      keyless.policy({ extensions, identity: /[a-z]+@example\.org/ }),
    )
  })
})

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
    [
      '77: a timestamp by a certificate for another use',
      { timestamp: { usages: ['1.3.6.1.5.5.7.3.3'] } },
      'TIMESTAMP_INVALID',
    ],
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
    const { createWitness } = await import('../../src/trust/keyless.ts')
    const witness = createWitness({
      fetch: sigstore.fetch,
      services: sigstore.services,
      trustedRoot: sigstore.trustedRoot(),
    })
    for (let i = 0; i < 2; i++)
      await sign(at(), repeating, { attach: 'tag', reference: 'r/a', witness })
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
