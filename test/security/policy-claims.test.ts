// Requirements of a policy apply to every format: a format without the claim does not satisfy them.
import { beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { KeyPolicy } from '../../src/trust/policy/policy.ts'
import type { Signer } from '../../src/trust/keys/signer.ts'
import { sign } from '../../src/verbs/sign.ts'
import { verify, verifyBundle } from '../../src/verbs/verify.ts'
import { createKeyBundles, messageBundle, statementAbout } from '../portable/key-bundles.ts'
import { createArtifact, type Json } from '../portable/trust-fixture.ts'

const COSIGN = 'https://sigstore.dev/cosign/sign/v1'
const artifact = encodeUtf8('hello')
const over = { artifact }

let policy: KeyPolicy
let signer: Signer
/** A bundle with a statement, optionally with a subject name, and one over bare bytes. */
let statementBundle: (name?: unknown) => Promise<Json>
let bare: Json
beforeAll(async () => {
  const keys = await createKeyBundles()
  signer = keys.signer
  policy = { key: keys.key, requireTransparencyLog: false }
  const sha256 = (await digestOf(artifact)).slice(7)
  statementBundle = (name) => {
    const statement: Json = statementAbout({ sha256 })
    if (name !== undefined) statement.subject[0].name = name
    return keys.bundle(statement)
  }
  bare = await messageBundle(signer, artifact)
})

describe('a bundle is rejected', () => {
  it.each<[string, object, string]>([
    ['where only legacy signatures count', { formats: ['legacy'] }, 'FORMAT_MISMATCH'],
    ['without the name', { reference: 'registry.test/app' }, 'REFERENCE_MISMATCH'],
    ['without the annotation', { annotations: { stage: 'prod' } }, 'ANNOTATION_MISMATCH'],
    ['without the type', { predicateTypes: ['https://slsa.dev/provenance/v1'] }, 'PREDICATE_TYPE'],
  ])('%s that the policy requires, over a statement or bare bytes', async (_, more, reason) => {
    for (const bundle of [await statementBundle(), bare]) {
      await verifyBundle(bundle, over, policy)
      const strict = { ...policy, ...more }
      await expect(verifyBundle(bundle, over, strict)).rejects.toMatchObject({ reason })
      const either = { anyOf: [{ ...strict }, { ...strict }] }
      await expect(verifyBundle(bundle, over, either)).rejects.toMatchObject({
        rejected: [{ error: { reason } }, { error: { reason } }],
      })
    }
  })

  it('over bare bytes if the policy requires any predicate type', async () => {
    const strict = { ...policy, predicateTypes: [COSIGN] }
    await verifyBundle(await statementBundle(), over, strict)
    await expect(verifyBundle(bare, over, strict)).rejects.toMatchObject({
      reason: 'PREDICATE_TYPE',
    })
  })

  it('whose subject has another name than required', async () => {
    const named = { ...policy, reference: 'ghcr.io/team/app' }
    const { reference } = await verifyBundle(await statementBundle('ghcr.io/team/app'), over, named)
    expect(reference).toBe('ghcr.io/team/app')
    for (const name of ['ghcr.io/team/app2', 'GHCR.io/team/app', '', null])
      await expect(verifyBundle(await statementBundle(name), over, named)).rejects.toMatchObject({
        reason: 'REFERENCE_MISMATCH',
      })
  })
})

describe('a legacy signature', () => {
  it('counts as a statement of cosign sign, and of no other type', async () => {
    const store = createMemoryStore()
    const { digest: ref } = await createArtifact(store)
    await sign({ store, ref }, signer, { attach: 'tag', reference: 'r/a' })
    const verdict = (more: object) => verify({ store, ref }, { ...policy, ...more })
    expect((await verdict({ predicateTypes: [COSIGN] })).signatures).toHaveLength(1)
    await expect(
      verdict({ predicateTypes: ['https://slsa.dev/provenance/v1'] }),
    ).rejects.toMatchObject({ rejected: [{ error: { reason: 'PREDICATE_TYPE' } }] })
  })

  it('is the only one that satisfies a required name: bundles of cosign have none', async () => {
    const store = createMemoryStore()
    const { digest: ref } = await createArtifact(store)
    await sign({ store, ref }, signer)
    const named = { ...policy, reference: 'r/a' }
    await expect(verify({ store, ref }, named)).rejects.toMatchObject({
      rejected: [{ error: { reason: 'REFERENCE_MISMATCH' } }],
    })
    await sign({ store, ref }, signer, { attach: 'tag', reference: 'r/a' })
    const { signatures } = await verify({ store, ref }, named)
    expect(signatures).toMatchObject([{ format: 'legacy', reference: 'r/a' }])
  })
})

describe('the subject of a bundle', () => {
  it('is either an artifact or a digest: with both, one would be ignored', async () => {
    const digest = await digestOf(artifact)
    const foreign = await digestOf(encodeUtf8('other'))
    const bundle = await statementBundle()
    await verifyBundle(bundle, { digest }, policy)
    for (const subject of [
      { artifact, digest },
      { artifact, digest: foreign },
      { artifact: encodeUtf8('other'), digest },
      { artifact, digests: [foreign] },
      {},
      { artifact: 'hello' },
      { digest: `md5:${'0'.repeat(32)}` },
      { digest: digest.toUpperCase() },
      { digest: digest.slice(0, -2) },
      { digest: null },
      null,
      artifact,
    ] as Json[])
      await expect(verifyBundle(bundle, subject, policy)).rejects.toThrow(TypeError)
  })
})
