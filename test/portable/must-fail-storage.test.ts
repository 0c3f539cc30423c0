// The cases of the specification that must be refused, by their numbers: policies, registries, identities.
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { SpindleError } from '../../src/errors.ts'
import { EMPTY_DESCRIPTOR, IMAGE_INDEX, IMAGE_MANIFEST } from '../../src/oci/manifest.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { Policy } from '../../src/trust/policy/policy.ts'
import {
  formatPublicKey,
  generateKeyPair,
  type WebKeyPair,
} from '../../src/trust/keys/private-key.ts'
import { createKeySigner, type Signer } from '../../src/trust/keys/signer.ts'
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
    // As a file may say them, where null, 0 and a text in place of a list would have been lenient.
    ['whose log is neither asked for nor not', () => ({ key, requireTransparencyLog: null })],
    ['whose certificate log is neither', () => ({ ...keyless.policy(), requireSct: 0 })],
    ['whose types are one text', () => ({ ...keyless.policy(), predicateTypes: 'https://x.test' })],
  ])('%s', async (_, make) => {
    await expect(verify(at(), make())).rejects.toThrow(TypeError)
    await expect(createVerifier(make())({ store, descriptor: artifact })).rejects.toThrow(TypeError)
  })

  it('but not for members that are undefined, as if they were not there', async () => {
    await sign(at(), signer)
    const [none, all] = [undefined, { allOf: [policy], anyOf: undefined, key: undefined }]
    await verify(at(), { ...policy, identity: none, issuer: none, anyOf: none } as Json)
    await verify(at(), all as Json)
    const { store: signed, artifact: kept } = keyless
    await verify({ store: signed, ref: kept.digest }, { ...keyless.policy(), key: none } as Json)
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
      rejected: [
        {
          error: {
            message: expect.stringContaining('subject of its manifest is another artifact'),
          },
        },
      ],
    })
  })

  it('11: with a referrer of two layers', async () => {
    await attachWith((manifest) => manifest.layers.push(EMPTY_DESCRIPTOR))
    await expect(verify(at(), policy)).rejects.toMatchObject({
      rejected: [
        { error: { message: expect.stringContaining('should have one layer and has 2') } },
      ],
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
    const { SIMPLE_SIGNING_TYPE, SIGNATURE_KEY } =
      await import('../../src/trust/wire/media-types.ts')
    const { formatBase64 } = await import('../../src/bytes/base64.ts')
    const { signChecked } = await import('../../src/trust/keys/signer.ts')
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
    const { preAuthEncoding } = await import('../../src/trust/bundle/dsse.ts')
    const { signChecked } = await import('../../src/trust/keys/signer.ts')
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
