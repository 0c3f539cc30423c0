// An `anyOf` with a threshold requires as many different signers.
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createSigstoreInstance, type SigstoreInstance } from '../../mocks/sigstore/instance.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { Policy } from '../../src/trust/policy/policy.ts'
import { formatPublicKey, generateKeyPair } from '../../src/trust/keys/private-key.ts'
import { createKeySigner, type Signer } from '../../src/trust/keys/signer.ts'
import type { Descriptor } from '../../src/types.ts'
import { sign } from '../../src/verbs/sign.ts'
import { verify, verifyBundle, type VerifyResult } from '../../src/verbs/verify.ts'
import {
  createArtifact,
  type Json,
  keylessSigner,
  type MemoryStore,
  signKeyless,
} from '../portable/trust-fixture.ts'

interface Key {
  readonly signer: Signer
  readonly rule: { readonly key: string; readonly requireTransparencyLog: false }
}

let keys: readonly [Key, Key, Key]
let sigstore: SigstoreInstance
let store: MemoryStore
let artifact: Descriptor

async function createKey(): Promise<Key> {
  const pair = await generateKeyPair()
  const key = await formatPublicKey(pair.publicKey)
  return { signer: await createKeySigner(pair), rule: { key, requireTransparencyLog: false } }
}
beforeAll(async () => {
  keys = [await createKey(), await createKey(), await createKey()]
  sigstore = await createSigstoreInstance()
})
beforeEach(async () => {
  store = createMemoryStore()
  artifact = await createArtifact(store)
})

const signBy = async (...signers: readonly Parameters<typeof sign>[1][]): Promise<void> => {
  for (const signer of signers) await sign({ store, ref: artifact.digest }, signer)
}
/** A signature by an identity. */
const signAs = (email: string) => signBy(keylessSigner(sigstore, 1, { email, sub: email }))
const verdict = (policy: Json): Promise<VerifyResult> =>
  verify({ store, ref: artifact.digest }, policy as Policy)
const refused = (policy: Json, message: RegExp) =>
  expect(verdict(policy)).rejects.toMatchObject({
    reason: 'NO_MATCHING_SIGNATURE',
    message: expect.stringMatching(message),
  })
const person = (identity: string | RegExp): Json => ({
  identity,
  issuer: sigstore.issuer,
  trustedRoot: sigstore.trustedRoot(),
})

describe('two of several keys', () => {
  it('are two signatures: one is not enough', async () => {
    const [a, b, c] = keys
    const policy = { anyOf: [a.rule, b.rule, c.rule], threshold: 2 }
    await expect(verdict(policy)).rejects.toMatchObject({ reason: 'NO_SIGNATURES' })
    await signBy(c.signer)
    await refused(
      policy,
      /^1 of 2 required rules of `anyOf` are satisfied, each by a different signer/,
    )
    await signBy(c.signer)
    await refused(policy, /^1 of 2/)
    await signBy(a.signer)
    const { signatures } = await verdict(policy)
    const signers = signatures.map(({ signer }) => signer.kind === 'key' && signer.keyId)
    expect(new Set(signers).size).toBe(2)
    await refused({ ...policy, threshold: 3 }, /^2 of 3/)
  })

  it('are not one key in two rules', async () => {
    const [a, b] = keys
    await signBy(a.signer, a.signer)
    await refused({ anyOf: [a.rule, a.rule], threshold: 2 }, /^1 of 2/)
    const both = { ...a.rule, key: [a.rule.key, b.rule.key] }
    await refused({ anyOf: [both, both, a.rule], threshold: 2 }, /^1 of 2/)
    await signBy(b.signer)
    await verdict({ anyOf: [both, both], threshold: 2 })
    await refused({ anyOf: [both, both, both], threshold: 3 }, /^2 of 3/)
  })

  it('are not one key in two encodings', async () => {
    const [a] = keys
    await signBy(a.signer)
    // X.509 allows uncompressed and compressed points.
    const point = a.signer.publicKey.subarray(-64)
    const algorithm = a.signer.publicKey.subarray(2, 23)
    const bits = [0x03, 34, 0, 2 + (point[63]! & 1), ...point.subarray(0, 32)]
    const compressed = Uint8Array.from([0x30, 21 + bits.length, ...algorithm, ...bits])
    const rule = { key: compressed, requireTransparencyLog: false }
    const alone = await verdict(rule)
    const [signature] = (await verdict(a.rule)).signatures
    expect(alone.signatures[0].signer).toEqual(signature.signer)
    await refused({ anyOf: [a.rule, rule], threshold: 2 }, /^1 of 2/)
    await refused({ ...a.rule, key: [compressed, a.rule.key], threshold: 2 }, /1 of 2 signers/)
  })
})

describe('two of several identities', () => {
  const ANY = /.+@example\.org/

  it('are not one identity that satisfies two rules', async () => {
    await signAs('ann@example.org')
    await refused({ anyOf: [person(ANY), person('ann@example.org')], threshold: 2 }, /^1 of 2/)
    await signAs('bob@example.org')
    await verdict({ anyOf: [person(ANY), person('ann@example.org')], threshold: 2 })
  })

  it.each([
    ['after', ['ann@example.org', 'bob@example.org']],
    ['before', ['bob@example.org', 'ann@example.org']],
  ] as const)('are found when the one with fewer rules signed %s the other', async (_, order) => {
    for (const email of order) await signAs(email)
    const rules = [person(ANY), person('ann@example.org')]
    for (const anyOf of [rules, rules.toReversed()]) {
      const { signatures } = await verdict({ anyOf, threshold: 2 })
      expect(signatures.map(({ identity }) => identity).toSorted()).toEqual(order.toSorted())
    }
    await refused({ anyOf: [...rules, person('bob@example.org')], threshold: 3 }, /^2 of 3/)
  })

  it('are not one address in two capitalizations or from two issuers', async () => {
    await signAs('ann@example.org')
    await signAs('Ann@Example.org')
    await refused({ ...person(/ann@example\.org/i), threshold: 2 }, /1 of 2 signers/)
    await refused(
      { anyOf: [person('ann@example.org'), person('Ann@Example.org')], threshold: 2 },
      /^1 of 2/,
    )
  })

  it('can be a key and an identity', async () => {
    const [a] = keys
    const policy = { anyOf: [a.rule, person(ANY)], threshold: 2 }
    await signAs('ann@example.org')
    await refused(policy, /^1 of 2/)
    await signBy(a.signer)
    expect((await verdict(policy)).signatures).toHaveLength(2)
  })

  it('can be one of each group', async () => {
    const [a, b, c] = keys
    const policy = {
      anyOf: [{ anyOf: [a.rule, b.rule] }, { anyOf: [b.rule, c.rule] }],
      threshold: 2,
    }
    await signBy(b.signer)
    await refused(policy, /^1 of 2/)
    await signBy(c.signer)
    await verdict(policy)
  })
})

describe('a threshold is rejected', () => {
  const [a, b] = [{ key: 'x', requireTransparencyLog: false }, { key: 'y' }]
  it.each<[string, Json, string]>([
    ['beside allOf', { allOf: [a, b], threshold: 2 }, '`threshold` is not allowed with `allOf`'],
    ['beside allOf, though it is 1', { allOf: [a, b], threshold: 1 }, 'use it with `anyOf`'],
    ['above the number of rules', { anyOf: [a, b], threshold: 3 }, '`anyOf` has only 2 rules'],
    ['around allOf', { anyOf: [{ allOf: [a, b] }, a], threshold: 2 }, '`anyOf[0]` is an `allOf`'],
    [
      'around allOf below anyOf',
      { anyOf: [a, { anyOf: [b, { allOf: [a] }] }], threshold: 2 },
      'is an `allOf`',
    ],
    [
      'around another threshold of a rule',
      { anyOf: [a, { ...b, threshold: 2 }], threshold: 2 },
      '`anyOf[1]` has a `threshold` inside an `anyOf`',
    ],
    [
      'around another threshold of anyOf',
      { anyOf: [a, { anyOf: [a, b], threshold: 2 }], threshold: 2 },
      '`anyOf[1]` has a `threshold` inside an `anyOf`',
    ],
  ])('%s', async (_, policy, message) => {
    const refusal: unknown = await verdict(policy).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(TypeError)
    expect((refusal as TypeError).message).toContain(message)
  })

  it('for one bundle, at any level: a bundle has one signer', async () => {
    const made = await signKeyless()
    const over = { digest: made.artifact.digest }
    const rule = made.policy()
    await verifyBundle(made.bundle(), over, { anyOf: [rule, rule], threshold: 1 })
    for (const policy of [
      { anyOf: [rule, rule], threshold: 2 },
      { anyOf: [rule, { ...rule, threshold: 2 }] },
      { allOf: [rule, { anyOf: [rule, rule], threshold: 2 }] },
    ] satisfies Policy[])
      await expect(verifyBundle(made.bundle(), over, policy)).rejects.toThrow(TypeError)
  })
})
