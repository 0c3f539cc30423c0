// An option that nothing reads may have been meant to be strict: it is refused wherever something is proven.
import { describe, expect, it } from 'vitest'
import { createSigstoreInstance } from '../../mocks/sigstore/instance.ts'
import { verifyInvoice } from '../../src/bindle/signature.ts'
import { createAppHandler } from '../../src/run/app-handler.ts'
import { createWorkerHandler } from '../../src/run/web-worker/worker-handler.ts'
import { toWorkerCode } from '../../src/run/worker-loader/worker-code.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createKeylessSigner, createCountersigner } from '../../src/trust/keyless/keyless.ts'
import { formatPublicKey, generateKeyPair } from '../../src/trust/keys/private-key.ts'
import { createKeySigner } from '../../src/trust/keys/signer.ts'
import { parseSigningConfig } from '../../src/trust/keyless/signing-config.ts'
import { copy } from '../../src/verbs/copy.ts'
import { pull } from '../../src/verbs/pull.ts'
import { sign } from '../../src/verbs/sign.ts'
import { createVerifier, verify, verifyBundle } from '../../src/verbs/verify.ts'
import { createArtifact, type Json, keylessSigner, signKeyless } from '../portable/trust-fixture.ts'

const store = createMemoryStore()
const pair = await generateKeyPair()
const signer = await createKeySigner(pair)
const policy = {
  key: await formatPublicKey(pair.publicKey),
  requireTransparencyLog: false,
} as const
const sigstore = await createSigstoreInstance()
const { digest: ref } = await createArtifact(store)
const at = { store, ref }
await sign(at, signer)
const verifier = createVerifier(policy)
const keyless = { identityToken: 'x', trustedRoot: sigstore.trustedRoot() }
const { services } = sigstore
const invoice: Json = { bindleVersion: '1.0.0', bindle: { name: 'a', version: '1.0.0' } }

type Call = (options: Json) => unknown
const CALLS: Readonly<Record<string, Call>> = {
  verify: (options) => verify(at, policy, options),
  createVerifier: (options) => createVerifier(policy, options),
  verifyBundle: (options) => verifyBundle('{}', { digest: ref }, policy, options),
  sign: (options) => sign(at, signer, options),
  createCountersigner: (options) =>
    createCountersigner({ ...keyless, identityToken: undefined, ...options }),
  createKeylessSigner: (options) => createKeylessSigner({ ...keyless, ...options }),
  pull: (options) => pull(at, options),
  copy: (options) => copy(at, { store: createMemoryStore(), ref: '' }, options),
  createAppHandler: (options) => createAppHandler({} as Json, options),
  createWorkerHandler: (options) => createWorkerHandler({} as Json, options),
  toWorkerCode: (options) => toWorkerCode({} as Json, options),
  createBindleHandler: (options) => createBindleHandler(options),
  verifyInvoice: (options) => verifyInvoice(invoice, { version: '1.0', key: [] } as Json, options),
}

describe('a call is refused', () => {
  it.each<[keyof typeof CALLS & string, object, string]>([
    ['verify', { annotations: { stage: 'prod' } }, 'annotations'],
    ['verify', { requireTransparencyLog: true }, 'requireTransparencyLog'],
    ['verify', { threshold: 2 }, 'threshold'],
    ['verify', { signature: 'r/a' }, 'signatures'],
    ['createVerifier', { annotations: { stage: 'prod' } }, 'annotations'],
    ['createVerifier', { signature: 'r/a' }, 'signatures'],
    ['verifyBundle', { annotations: { stage: 'prod' } }, 'annotations'],
    ['verifyBundle', { verifyDigests: () => true }, 'verifyDigest'],
    ['verifyBundle', { verifyDigest: true }, 'verifyDigest'],
    ['sign', { annotation: { stage: 'prod' } }, 'annotations'],
    ['sign', { annotations: new Map([['stage', 'prod']]) }, 'annotations'],
    ['sign', { annotations: { stage: 5 } }, 'stage'],
    ['sign', { countersignr: {} }, 'countersigner'],
    ['sign', { countersigner: null }, 'countersigner'],
    ['sign', { countersigner: {} }, 'countersigner'],
    ['sign', { requireTransparencyLog: true }, 'requireTransparencyLog'],
    ['createCountersigner', { service: services }, 'services'],
    ['createCountersigner', { identityToken: 'x' }, 'identityToken'],
    ['createCountersigner', { services: { rekor: services.rekor } }, 'services.timestamp'],
    ['createCountersigner', { services: { ...services, tsa: services.timestamp } }, 'tsa'],
    ['createKeylessSigner', { audiance: 'private' }, 'audience'],
    ['createKeylessSigner', { rekorUrl: 'https://rekor.test' }, 'rekorUrl'],
    ['createKeylessSigner', { services: { ...services, rekor: undefined } }, 'services.rekor'],
    [
      'createKeylessSigner',
      { services: { ...services, rekor: 'https://r.test' } },
      'services.rekor',
    ],
    [
      'createKeylessSigner',
      { services: { ...services, rekor: { url: 'https://r.test', version: '1' } } },
      'services.rekor',
    ],
    ['createKeylessSigner', { services: { ...services, fulcio: '' } }, 'services.fulcio'],
    ['createKeylessSigner', { services: { ...services, timestamps: false } }, 'timestamp'],
    ['pull', { policy }, 'policy'],
    ['pull', { verifier }, 'verifier'],
    ['pull', { verfy: verifier }, 'verfy'],
    ['pull', { key: policy.key }, 'key'],
    ['pull', { verify: null }, 'verify'],
    ['pull', { verify: {} }, 'key'],
    ['pull', { verify: { ...policy, treshold: 2 } }, 'threshold'],
    ['pull', { verify: [policy] }, 'verify'],
    ['pull', { verify: 'policy' }, 'verify'],
    ['pull', { verify: createVerifier }, 'verify'],
    ['pull', { verify: () => true }, 'verify'],
    ['copy', { verify: { key: '' } }, 'key'],
    ['copy', { verify: createVerifier }, 'verify'],
    ['copy', { policy }, 'policy'],
    ['copy', { verify: false }, 'verify'],
    ['createAppHandler', { policy }, 'policy'],
    ['createAppHandler', { verify: null }, 'verify'],
    ['createWorkerHandler', { verify: verifier }, 'verify'],
    ['toWorkerCode', { verify: verifier }, 'verify'],
    ['toWorkerCode', { policy }, 'policy'],
    ['createBindleHandler', { strategy: 'exhaustive' }, 'keyring'],
    ['createBindleHandler', { honourRoles: true }, 'keyring'],
    ['verifyInvoice', { honorRoles: true }, 'honourRoles'],
    ['verifyInvoice', { honourRoles: 'true' }, 'honourRoles'],
    ['verifyInvoice', { allowUnsigned: 'yes' }, 'allowUnsigned'],
    ['verifyInvoice', { strategy: 'exhaustiv' }, 'exhaustive'],
    ['verifyInvoice', { strategy: { attestations: ['aprover'] } }, 'attestations'],
    ['verifyInvoice', { strategy: { attestations: ['host'], greedy: 1 } }, 'greedy'],
    ['verifyInvoice', { strategy: { attestation: ['host'] } }, 'attestations'],
  ])('%s with %j, naming %s', async (call, options, named) => {
    const before = (await store.resolve(ref)).digest
    const refusal: unknown = await Promise.resolve()
      .then(() => CALLS[call]!(options))
      .catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(TypeError)
    expect((refusal as TypeError).message).toContain(named)
    expect((await store.resolve(ref)).digest).toBe(before)
  })

  it('createAppHandler with `createVerifier` itself', async () => {
    const app = { store, descriptor: await store.resolve(ref), locked: { components: [] } } as Json
    await expect(createAppHandler(app, { verify: createVerifier as never })).rejects.toThrow(
      'createVerifier(policy)',
    )
  })

  it('sign with a countersigner beside a signer that has its own', async () => {
    const { rekor } = services
    const countersigner = createCountersigner({
      fetch: sigstore.fetch,
      services: { rekor, timestamp: false },
      trustedRoot: sigstore.trustedRoot(),
    })
    await expect(sign(at, keylessSigner(sigstore), { countersigner })).rejects.toThrow(
      '`countersigner`',
    )
  })

  it('but not for an option that is undefined', async () => {
    await verify(at, policy, { annotations: undefined } as Json)
    await sign(at, signer, { countersigner: undefined, annotation: undefined } as Json)
  })
})

describe('a trusted root is refused', () => {
  it.each<[string, (root: Json) => unknown]>([
    [
      'with a mistyped end',
      ({ tlogs: [log] }) => (log.publicKey.validFor.End = '2021-01-01T00:00:00Z'),
    ],
    [
      'with an end in the wrong place',
      ({ tlogs: [log] }) => (log.publicKey.end = '2021-01-01T00:00:00Z'),
    ],
    ['with a range beside the key', ({ ctlogs: [log] }) => (log.validFor = { end: 'x' })],
    [
      'with an end of an authority in snake case',
      ({ certificateAuthorities: [authority] }) =>
        (authority.valid_for = { end: '2021-01-01T00:00:00Z' }),
    ],
    ['with a list that nothing reads', (root) => (root.revoked = [])],
    ['with a threshold', (root) => (root.threshold = 2)],
  ])('%s', async (_, edit) => {
    const made = await signKeyless()
    const root: Json = made.root()
    const over = { digest: made.artifact.digest }
    await verifyBundle(made.bundle(), over, made.policy({ trustedRoot: root }))
    // The very object, as it was read before.
    edit(root)
    for (const trustedRoot of [root, JSON.stringify(root)])
      await expect(
        verifyBundle(made.bundle(), over, made.policy({ trustedRoot })),
      ).rejects.toMatchObject({ reason: 'TRUST_ROOT_INVALID' })
  })

  it('that says something twice', async () => {
    const made = await signKeyless()
    const text = JSON.stringify(made.root()).replace(
      '"start":',
      '"start":"2019-01-01T00:00:00Z","start":',
    )
    await expect(
      verifyBundle(
        made.bundle(),
        { digest: made.artifact.digest },
        made.policy({ trustedRoot: text }),
      ),
    ).rejects.toMatchObject({ reason: 'TRUST_ROOT_INVALID' })
  })

  it('or read anew, once its object was edited', async () => {
    const made = await signKeyless()
    const root: Json = made.root()
    const over = { digest: made.artifact.digest }
    await verifyBundle(made.bundle(), over, made.policy({ trustedRoot: root }))
    root.tlogs = []
    await expect(
      verifyBundle(made.bundle(), over, made.policy({ trustedRoot: root })),
    ).rejects.toMatchObject({ reason: 'TLOG_UNKNOWN_LOG' })
  })
})

describe('a signing config is refused', () => {
  const service = {
    url: 'https://a.test',
    majorApiVersion: 1,
    validFor: { start: '2020-01-01T00:00:00Z' },
  }
  const config = (): Json => ({
    mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
    rekorTlogUrls: [structuredClone(service)],
    rekorTlogConfig: { selector: 'ANY' },
  })
  it.each<[string, (config: Json) => unknown]>([
    ['with a selector that is not known', (json) => (json.rekorTlogConfig.selector = 'EVERY')],
    ['without a selector', (json) => delete json.rekorTlogConfig.selector],
    ['that asks for none', (json) => (json.rekorTlogConfig = { selector: 'EXACT', count: 0 })],
    [
      'that asks for a log and names none',
      (json) => (
        (json.rekorTlogConfig = { selector: 'EXACT', count: 1 }),
        (json.rekorTlogUrls = [])
      ),
    ],
    [
      'with a mistyped end',
      ({ rekorTlogUrls: [it] }) => (it.validFor.End = '2021-01-01T00:00:00Z'),
    ],
    ['with a mistyped rule', (json) => (json.rekorTlogConf = { selector: 'ALL' })],
    ['with a mistyped count', (json) => (json.rekorTlogConfig = { selector: 'EXACT', Count: 2 })],
  ])('%s', (_, edit) => {
    expect(parseSigningConfig(config()).rekor).toEqual({ url: 'https://a.test', version: 1 })
    const json = config()
    edit(json)
    for (const input of [json, JSON.stringify(json)])
      expect(() => parseSigningConfig(input)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/UNSUPPORTED|CONTENT_INVALID/) }),
      )
  })
})
