// Every key of a policy is enforced, or the policy is rejected.
import { beforeAll, describe, expect, it } from 'vitest'
import { createVerifier, verify } from '../../src/verbs/verify.ts'
import { createPolicyWorlds, type LeafKind, type PolicyWorlds } from '../portable/policy-worlds.ts'
import type { Json } from '../portable/trust-fixture.ts'

let worlds: PolicyWorlds
beforeAll(async () => {
  worlds = await createPolicyWorlds()
})

interface Sample {
  /** Rules that allow the key. */
  readonly places: readonly string[]
  /** A valid value that the signature does not satisfy. */
  readonly strict: (worlds: PolicyWorlds) => unknown
  /** Reason of the rejection. */
  readonly reason: RegExp
  readonly wrong: readonly unknown[]
  readonly empty: readonly unknown[]
  /** Only for a signature without a log entry. */
  readonly unlogged?: boolean
}

const LEAVES = ['key', 'identity']
const KINDS = [...LEAVES, 'anyOf', 'allOf']

/** Repeated here, to detect a key that is missing in the schema. */
const SAMPLES: Readonly<Record<string, Sample>> = {
  key: {
    places: ['key'],
    strict: ({ otherKey }) => otherKey,
    reason: /does not verify with the key/,
    wrong: [5, true, {}, { type: 5 }, [5], [['x']], new Map()],
    empty: ['', [], new Uint8Array()],
  },
  identity: {
    places: ['identity'],
    strict: () => 'eve@example.org',
    reason: /does not match the policy's `identity`/,
    wrong: [5, true, {}, ['dev@example.org'], /dev/g, /dev/y, /dev/m],
    empty: ['', new RegExp('')],
  },
  issuer: {
    places: ['identity'],
    strict: () => /https:\/\/elsewhere\.test/,
    reason: /does not match the policy's `issuer`/,
    wrong: [5, true, {}, ['https://accounts.sigstore.test'], /https/g],
    empty: ['', new RegExp('')],
  },
  extensions: {
    places: ['identity'],
    strict: () => ({ githubWorkflowRef: 'refs/heads/main' }),
    reason: /certificate extension githubWorkflowRef is absent/,
    wrong: [
      5,
      'githubWorkflowRef',
      [],
      new Map([['githubWorkflowRef', 'x']]),
      { githubWorkflowRef: 5 },
      { githubWorkflowRef: undefined },
      { githubWorkflowReff: 'x' },
    ],
    empty: [{}, { githubWorkflowRef: '' }],
  },
  requireSct: {
    places: ['identity'],
    strict: () => true,
    reason: /certificate/,
    wrong: [1, 'true', {}, []],
    empty: [''],
  },
  time: {
    places: ['identity'],
    strict: () => 'authority',
    reason: /has no trusted time/,
    wrong: [5, true, 'Authority', 'tsa', ['authority']],
    empty: [''],
  },
  trustedRoot: {
    places: LEAVES,
    strict: ({ otherRoot }) => otherRoot,
    reason: /trusted root does not contain the transparency log/,
    wrong: [5, true, []],
    empty: [''],
  },
  requireTransparencyLog: {
    places: LEAVES,
    strict: () => true,
    reason: /has no log entry/,
    wrong: [1, 'true', {}, []],
    empty: [''],
    unlogged: true,
  },
  annotations: {
    places: LEAVES,
    strict: () => ({ stage: 'prod' }),
    reason: /the annotation stage is not signed/,
    wrong: [
      5,
      'stage=prod',
      ['stage=prod'],
      new Map([['stage', 'prod']]),
      { stage: 5 },
      Object.defineProperty({}, 'stage', { value: 'prod', enumerable: false }),
      { stage: 'prod', [Symbol('tier')]: 'one' },
    ],
    empty: [{}, { stage: undefined }],
  },
  predicateTypes: {
    places: LEAVES,
    strict: () => ['https://slsa.dev/provenance/v1'],
    reason: /is not among the policy's `predicateTypes`/,
    wrong: [5, 'https://slsa.dev/provenance/v1', {}, [5], [undefined]],
    empty: [[], ['']],
  },
  formats: {
    places: LEAVES,
    strict: () => ['legacy'],
    reason: /no signature is stored with it/,
    wrong: [5, 'legacy', {}, ['bundles'], [5]],
    empty: [[], ['']],
  },
  reference: {
    places: LEAVES,
    strict: () => 'registry.test/app',
    reason: /signed name of the artifact is absent/,
    wrong: [5, true, ['registry.test/app'], /registry/],
    empty: [''],
  },
  threshold: {
    places: [...LEAVES, 'anyOf'],
    strict: () => 2,
    reason: /of 2/,
    wrong: ['2', 1.5, -1, true, NaN, Infinity, [2]],
    empty: [0, ''],
  },
  anyOf: {
    places: ['anyOf'],
    strict: ({ otherKey }) => [{ key: otherKey, requireTransparencyLog: false }],
    reason: /does not verify with the key|policy requires a key/,
    wrong: [5, true, {}, 'key', [5], [null], [undefined], [[]]],
    empty: [[], [{}]],
  },
  allOf: {
    places: ['allOf'],
    strict: ({ otherKey }) => [{ key: otherKey, requireTransparencyLog: false }],
    reason: /does not verify with the key|policy requires a key/,
    wrong: [5, true, {}, 'key', [5], [null], [undefined], [[]]],
    empty: [[], [{}]],
  },
}

interface Rule {
  readonly name: string
  /** Kind of the rule that contains the key. */
  readonly kind: string
  readonly leaf: LeafKind
  /** The key as in error messages. */
  readonly shown: (key: string) => string
  /** A policy that is satisfied, with more keys in the rule. */
  readonly policy: (more: object) => Json
}

const lenient = (leaf: LeafKind): Json => worlds.lenient(leaf)
const other = (): Json => ({ key: worlds.otherKey, requireTransparencyLog: false })

const RULES: readonly Rule[] = LEAVES.flatMap((leaf): Rule[] => {
  const base = { leaf: leaf as LeafKind }
  const rule = (more: object): Json => ({ ...lenient(base.leaf), ...more })
  return [
    { ...base, name: leaf, kind: leaf, shown: (key) => key, policy: rule },
    {
      ...base,
      name: `anyOf around ${leaf}`,
      kind: 'anyOf',
      shown: (key) => key,
      // Two rules, one of them satisfied, for the threshold to count.
      policy: (more) => ({ anyOf: [lenient(base.leaf), other()], ...more }),
    },
    {
      ...base,
      name: `allOf around ${leaf}`,
      kind: 'allOf',
      shown: (key) => key,
      policy: (more) => ({ allOf: [lenient(base.leaf)], ...more }),
    },
    {
      ...base,
      name: `${leaf} below anyOf`,
      kind: leaf,
      shown: (key) => `anyOf[0].${key}`,
      policy: (more) => ({ anyOf: [rule(more)] }),
    },
    {
      ...base,
      name: `${leaf} below anyOf below allOf`,
      kind: leaf,
      shown: (key) => `allOf[0].anyOf[1].${key}`,
      policy: (more) => ({ allOf: [{ anyOf: [other(), rule(more)] }] }),
    },
    {
      ...base,
      name: `anyOf below allOf around ${leaf}`,
      kind: 'anyOf',
      shown: (key) => `allOf[0].${key}`,
      policy: (more) => ({ allOf: [{ anyOf: [lenient(base.leaf), other()], ...more }] }),
    },
  ]
})

const at = ({ leaf }: Rule, { unlogged = false }: Partial<Sample> = {}) => ({
  store: worlds.store,
  ref: worlds.refs[leaf][unlogged ? 'unlogged' : 'logged'],
})

/** @param names Expected in the message. */
async function assertRefused(rule: Rule, policy: Json, ...names: readonly string[]): Promise<void> {
  const refusal: unknown = await verify(at(rule), policy).catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(TypeError)
  for (const name of names) expect((refusal as TypeError).message).toContain(name)
  // The same for a policy that is loaded now and used later.
  const descriptor = await worlds.store.resolve(at(rule).ref)
  const verdict = createVerifier(policy)({ store: worlds.store, descriptor })
  await expect(verdict).rejects.toThrow(TypeError)
}

describe.each(RULES)('in a rule of the kind $name,', (rule) => {
  it.each(Object.entries(SAMPLES))('`%s` is enforced or rejected', async (key, sample) => {
    const place = at(rule, sample)
    await verify(place, rule.policy({}))
    // `undefined` counts as absent, unless the rule needs the key.
    const needed = rule.kind === rule.leaf ? lenient(rule.leaf) : { [rule.kind]: [] }
    if (!(key in needed)) await verify(place, rule.policy({ [key]: undefined }))

    const strict = rule.policy({ [key]: sample.strict(worlds) })
    if (sample.places.includes(rule.kind))
      await expect(verify(place, strict)).rejects.toMatchObject({
        code: 'ERR_POLICY_REJECTED',
        message: expect.stringMatching(sample.reason),
      })
    else if (KINDS.includes(key)) await assertRefused(rule, strict, 'exactly one of', key)
    else await assertRefused(rule, strict, `\`${rule.shown(key)}\``, ...sample.places)

    for (const value of [null, ...sample.wrong, ...sample.empty])
      await assertRefused(rule, rule.policy({ [key]: value }), key)
  })
})

describe('a policy is rejected', () => {
  const key = (): Json => lenient('key')
  const verdict = (policy: unknown): Promise<unknown> =>
    verify({ store: worlds.store, ref: worlds.refs.key.logged }, policy as Json)

  it.each<[string, () => unknown]>([
    ['with a key of a prototype', () => Object.assign(Object.create({ threshold: 2 }), key())],
    [
      'with a key that is not listed',
      () => Object.defineProperty(key(), 'treshold', { value: 2, enumerable: false }),
    ],
    ['with a key that is a symbol', () => ({ ...key(), [Symbol('threshold')]: 2 })],
    ['that is a Map', () => new Map(Object.entries(key()))],
    ['that is a list', () => [key()]],
    [
      'of a class',
      () =>
        new (class {
          readonly key: unknown = key().key
          readonly requireTransparencyLog = false
        })(),
    ],
    ['that is null', () => null],
    ['that is undefined', () => undefined],
    ['that is a text', () => JSON.stringify(key())],
    ['with a hole in a list', () => ({ ...key(), formats: Array<string>(1) })],
    // oxlint-disable-next-line no-sparse-arrays
    ['with a hole among its rules', () => ({ anyOf: [key(), , key()] })],
    ['with more rules than are read', () => ({ anyOf: Array(65).fill(key()) })],
    [
      'that nests deeper than is read',
      () => Array.from({ length: 9 }).reduce((inner) => ({ anyOf: [inner] }), key()),
    ],
  ])('%s', async (_, make) => {
    await verdict(key())
    await expect(verdict(make())).rejects.toThrow(TypeError)
  })

  it.each([
    [{ treshold: 2 }, 'threshold'],
    [{ Threshold: 2 }, 'threshold'],
    [{ annotation: { a: 'b' } }, 'annotations'],
    [{ requireTransparencylog: true }, 'requireTransparencyLog'],
    [{ predicateType: ['x'] }, 'predicateTypes'],
    [{ format: ['legacy'] }, 'formats'],
    [{ identityRegexp: '.*' }, 'identity'],
  ])('with %j, asking whether %s was meant', async (more, meant) => {
    await expect(verdict({ ...key(), ...more })).rejects.toThrow(`did you mean \`${meant}\`?`)
  })

  it('with an unknown key, listing the known ones', async () => {
    const refused = expect(verdict({ ...key(), frobnicate: true })).rejects
    await refused.toThrow('`frobnicate` is not known: known are `key`')
    await expect(verdict({ anyOf: [key(), { ...key(), x: 1 }] })).rejects.toThrow('`anyOf[1]`')
  })
})
