import { beforeAll, describe, expect, it } from 'vitest'
import { createSigstoreInstance, type SigstoreInstance } from '../../mocks/sigstore/instance.ts'
import { digestOf } from '../../src/bytes/digest.ts'
import { formatHex } from '../../src/bytes/hex.ts'
import { type Json, parseJson } from '../../src/bytes/json.ts'
import { readVerified } from '../../src/bytes/verified.ts'
import { decodeUtf8, encodeUtf8 } from '../../src/bytes/text.ts'
import { IMAGE_INDEX, IMAGE_MANIFEST } from '../../src/oci/manifest.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createKeylessSigner, createCountersigner } from '../../src/trust/keyless/keyless.ts'
import {
  formatPublicKey,
  generateKeyPair,
  type WebKeyPair,
} from '../../src/trust/keys/private-key.ts'
import { signArtifact } from '../../src/trust/cosign/sign-artifact.ts'
import { createKeySigner } from '../../src/trust/keys/signer.ts'
import type { Policy } from '../../src/trust/policy/policy.ts'
import { copy } from '../../src/verbs/copy.ts'
import { createVerifier, verify } from '../../src/verbs/verify.ts'
import { sign } from '../../src/verbs/sign.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createRepository } from '../../src/registry/repository.ts'
import type { Descriptor, Store } from '../../src/types.ts'

type MemoryStore = ReturnType<typeof createMemoryStore>

async function createArtifact(store: Store, note = 'hello'): Promise<Descriptor> {
  const config = {
    mediaType: 'application/vnd.oci.empty.v1+json',
    digest: await digestOf(encodeUtf8('{}')),
    size: 2,
  }
  const manifest = encodeUtf8(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: IMAGE_MANIFEST,
      config,
      layers: [],
      annotations: { note },
    }),
  )
  const descriptor = {
    mediaType: IMAGE_MANIFEST,
    digest: await digestOf(manifest),
    size: manifest.length,
  }
  await store.push(config, encodeUtf8('{}'))
  await store.push(descriptor, manifest)
  return descriptor
}

let pair: WebKeyPair
let pem: string
let store: MemoryStore
let artifact: Descriptor
let sigstore: SigstoreInstance
beforeAll(async () => {
  pair = await generateKeyPair()
  pem = await formatPublicKey(pair.publicKey)
  sigstore = await createSigstoreInstance()
})
const fresh = async (): Promise<void> => {
  store = createMemoryStore()
  artifact = await createArtifact(store)
}

describe('a signature with a key', () => {
  it.each(['referrer', 'tag', 'both'] as const)(
    'is found again, attached as %s',
    async (attach) => {
      await fresh()
      const signed = await signArtifact(store, artifact, await createKeySigner(pair), {
        attach,
        annotations: { stage: 'prod' },
        reference: 'registry.test/app',
      })
      expect(signed.written).toHaveLength(attach === 'both' ? 2 : 1)
      const { descriptor, signatures, rejected } = await verify(
        { store, ref: artifact.digest },
        {
          key: pem,
          requireTransparencyLog: false,
          annotations: { stage: 'prod' },
        },
      )
      expect(descriptor).toEqual(artifact)
      expect(signatures).toMatchObject([
        {
          format: attach === 'tag' ? 'legacy' : 'bundle',
          signer: { kind: 'key' },
          annotations: { stage: 'prod' },
        },
      ])
      expect(rejected).toEqual([])
    },
  )

  it('with a countersigner is in its log, and the log is checked', async () => {
    await fresh()
    const countersigner = createCountersigner({
      fetch: sigstore.fetch,
      services: sigstore.services,
      trustedRoot: sigstore.trustedRoot(),
    })
    await signArtifact(store, artifact, await createKeySigner(pair), {
      attach: 'both',
      countersigner,
      reference: 'registry.test/app',
    })
    for (const formats of [['bundle'], ['legacy']] as const) {
      const { signatures } = await verify(
        { store, ref: artifact.digest },
        {
          key: pem,
          trustedRoot: sigstore.trustedRoot(),
          formats,
        },
      )
      expect(signatures[0]).toMatchObject({
        times: [{ source: 'log' }, { source: 'authority' }],
        logEntries: [{ kind: formats[0] === 'bundle' ? 'dsse/0.0.1' : 'hashedrekord/0.0.1' }],
      })
    }
  })
})

describe('a signature without a key', () => {
  it.each(['services', 'servicesV2'] as const)(
    'proves who signed and when, by the %s',
    async (services) => {
      await fresh()
      const signer = createKeylessSigner({
        fetch: sigstore.fetch,
        services: sigstore[services],
        trustedRoot: sigstore.trustedRoot(),
        identityToken: () => sigstore.issueToken(),
      })
      const { bundle } = await signArtifact(store, artifact, signer)
      expect(Object.keys(parseJson(bundle!, 'it') as object)).toEqual([
        'mediaType',
        'verificationMaterial',
        'dsseEnvelope',
      ])
      const { signatures } = await verify(
        { store, ref: artifact.digest },
        {
          identity: 'dev@example.org',
          issuer: 'https://accounts.sigstore.test',
          trustedRoot: sigstore.trustedRoot(),
        },
      )
      expect(signatures[0]).toMatchObject({
        signer: {
          kind: 'certificate',
          identity: 'dev@example.org',
          identityType: 'email',
          issuer: 'https://accounts.sigstore.test',
        },
      })
      expect(signatures[0].logEntries).toHaveLength(1)
    },
  )

  it('can be stored in the older form too', async () => {
    await fresh()
    const signer = createKeylessSigner({
      fetch: sigstore.fetch,
      services: sigstore.services,
      trustedRoot: sigstore.trustedRoot(),
      identityToken: await sigstore.issueToken(),
    })
    await signArtifact(store, artifact, signer, { attach: 'tag', reference: 'registry.test/app' })
    const { signatures } = await verify(
      { store, ref: artifact.digest },
      {
        identity: /.*@example\.org/,
        issuer: 'https://accounts.sigstore.test',
        trustedRoot: sigstore.trustedRoot(),
      },
    )
    expect(signatures[0]).toMatchObject({
      format: 'legacy',
      times: [{ source: 'log' }, { source: 'authority' }],
    })
  })
})

describe('the older form', () => {
  it('has cosign’s payload and config to the byte', async () => {
    await fresh()
    await signArtifact(store, artifact, await createKeySigner(pair), {
      attach: 'tag',
      reference: 'registry.test/app',
      annotations: { b: '<&>', a: '\u2028' },
    })
    const manifest = await store.resolve(artifact.digest.replace(':', '-') + '.sig')
    const { config, layers } = JSON.parse(
      decodeUtf8(await readVerified(await store.fetch(manifest), manifest))!,
    ) as { config: Descriptor; layers: [Descriptor] }
    expect(decodeUtf8(await readVerified(await store.fetch(layers[0]), layers[0]))).toBe(
      `{"critical":{"identity":{"docker-reference":"registry.test/app"},"image":{"docker-manifest-digest":"${artifact.digest}"},"type":"cosign container image signature"},"optional":{"a":"\\u2028","b":"\\u003c\\u0026\\u003e"}}`,
    )
    expect(config.size).toBe(233)
  })

  it('keeps the signatures that are there', async () => {
    await fresh()
    const other = await generateKeyPair()
    for (const key of [pair, other])
      await signArtifact(store, artifact, await createKeySigner(key), {
        attach: 'tag',
        reference: 'registry.test/app',
      })
    const { signatures } = await verify(
      { store, ref: artifact.digest },
      {
        key: [pem, await formatPublicKey(other.publicKey)],
        requireTransparencyLog: false,
        threshold: 2,
      },
    )
    expect(
      new Set(signatures.map(({ signer }) => signer.kind === 'key' && signer.keyId)).size,
    ).toBe(2)
  })

  it('takes no more than are read, and says where one more can go', async () => {
    await fresh()
    // By another key each time: engines that sign deterministically would make the same signature.
    const attach = async (): Promise<unknown> =>
      signArtifact(store, artifact, await createKeySigner(await generateKeyPair()), {
        attach: 'tag',
        reference: 'registry.test/app',
      })
    await attach()
    // A hundred of one: only their number counts.
    const tag = `${artifact.digest.replace(':', '-')}.sig`
    const at = await store.resolve(tag)
    const bytes = await readVerified(await store.fetch(at), at)
    const manifest = parseJson(bytes, 'it') as { layers: readonly Json[] }
    const full = encodeUtf8(
      JSON.stringify({ ...manifest, layers: Array(100).fill(manifest.layers[0]) }),
    )
    const descriptor = {
      mediaType: IMAGE_MANIFEST,
      digest: await digestOf(full),
      size: full.length,
    }
    await store.push(descriptor, full, { tag })
    await expect(attach()).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
      message: expect.stringContaining('as a referrer'),
    })
    expect(await store.resolve(tag)).toMatchObject({ digest: descriptor.digest })
  })

  it('loses none of two that are added at once', async () => {
    await fresh()
    const keys = await Promise.all(Array.from({ length: 4 }, () => generateKeyPair()))
    await Promise.all(
      keys.map(async (key) =>
        signArtifact(store, artifact, await createKeySigner(key), {
          attach: 'tag',
          reference: 'registry.test/app',
        }),
      ),
    )
    const policy = {
      key: await Promise.all(keys.map(({ publicKey }) => formatPublicKey(publicKey))),
      requireTransparencyLog: false,
      threshold: 4,
    }
    expect((await verify({ store, ref: artifact.digest }, policy)).signatures).toHaveLength(4)
  })
})

describe('on a registry', () => {
  it.each(['referrer', 'tag', 'both'] as const)(
    'is signed and verified by its name, attached as %s',
    async (attach) => {
      const { fetch } = createRegistryHandler()
      const repository = createRepository('registry.test/team/app', { fetch })
      const pushed = await createArtifact(repository)
      await repository.tag(pushed, '1')
      const { descriptor } = await sign('registry.test/team/app:1', await createKeySigner(pair), {
        fetch,
        attach,
      })
      expect(descriptor.digest).toBe(pushed.digest)
      const policy: Policy = { key: pem, requireTransparencyLog: false }
      const { signatures } = await verify('registry.test/team/app:1', policy, { fetch })
      expect(signatures).toHaveLength(1)
      await expect(
        createVerifier(policy)({ store: repository, descriptor }),
      ).resolves.toMatchObject([{ format: signatures[0].format }])
      if (attach !== 'referrer')
        await verify(
          'registry.test/team/app:1',
          { ...policy, formats: ['legacy'], reference: 'registry.test/team/app' },
          { fetch },
        )
    },
  )

  it('of what has a sha512 digest stands in a bundle alone: no tag is that long', async () => {
    const { fetch } = createRegistryHandler()
    const [from, to] = ['a', 'b'].map((name) =>
      createRepository(`registry.test/${name}`, { fetch }),
    )
    const bytes = encodeUtf8(
      JSON.stringify({ schemaVersion: 2, mediaType: IMAGE_INDEX, manifests: [] }),
    )
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-512', bytes))
    const digest = `sha512:${formatHex(hash)}` as const
    await from!.push({ mediaType: IMAGE_INDEX, digest, size: bytes.length }, bytes)
    const policy = { key: pair.publicKey, requireTransparencyLog: false }
    const at = { store: from!, ref: digest }
    await expect(verify(at, policy)).rejects.toMatchObject({ reason: 'NO_SIGNATURES' })
    for (const attach of ['tag', 'both'] as const)
      await expect(
        sign(at, await createKeySigner(pair), { attach, reference: 'r/a' }),
      ).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    await expect(verify(at, policy)).rejects.toMatchObject({ reason: 'NO_SIGNATURES' })
    await sign(at, await createKeySigner(pair))
    await copy(at, { store: to!, ref: digest }, { referrers: true })
    const { descriptor } = await verify({ store: to!, ref: digest }, policy)
    expect(descriptor.digest).toBe(digest)
  })

  it('signatures may live in another repository', async () => {
    const { fetch } = createRegistryHandler()
    const repository = createRepository('registry.test/team/app', { fetch })
    await repository.tag(await createArtifact(repository), '1')
    const signatures = 'registry.test/team/signatures'
    await sign('registry.test/team/app:1', await createKeySigner(pair), {
      fetch,
      attach: 'tag',
      signatures,
    })
    const policy: Policy = { key: pem, requireTransparencyLog: false }
    await expect(verify('registry.test/team/app:1', policy, { fetch })).rejects.toMatchObject({
      code: 'ERR_POLICY_REJECTED',
      reason: 'NO_SIGNATURES',
    })
    await verify('registry.test/team/app:1', policy, { fetch, signatures })
  })
})
