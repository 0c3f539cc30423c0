// Where signatures are looked for: the referrers API, the tag that replaces it, the tag of the older form.
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createNoReferrersPersona } from '../../mocks/personas/no-referrers.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { EMPTY_DESCRIPTOR, IMAGE_INDEX, IMAGE_MANIFEST } from '../../src/oci/manifest.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { BUNDLE_TYPE } from '../../src/trust/wire/media-types.ts'
import type { KeyPolicy } from '../../src/trust/policy/policy.ts'
import { formatPublicKey, generateKeyPair } from '../../src/trust/keys/private-key.ts'
import { createKeySigner, type Signer } from '../../src/trust/keys/signer.ts'
import type { Descriptor, FetchHandler } from '../../src/types.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { sign } from '../../src/verbs/sign.ts'
import { verify } from '../../src/verbs/verify.ts'
import { copy } from '../../src/verbs/copy.ts'
import { createArtifact, pushJson } from './trust-fixture.ts'

const REPOSITORY = 'registry.test/team/hello'
const REF = `${REPOSITORY}:1`

let signer: Signer
let policy: KeyPolicy
let registry: FetchHandler
let artifact: Descriptor

beforeAll(async () => {
  const pair = await generateKeyPair()
  signer = await createKeySigner(pair)
  policy = { key: await formatPublicKey(pair.publicKey), requireTransparencyLog: false }
})
beforeEach(async () => {
  registry = createRegistryHandler()
  const repository = repositoryOn(registry)
  artifact = await createArtifact(repository)
  await repository.tag(artifact, '1')
})

const repositoryOn = ({ fetch }: FetchHandler) => createRepository(REPOSITORY, { fetch })
const fallbackTag = (): string => artifact.digest.replace(':', '-')

/** The registry, but the API lists nothing of what was pushed before it had one. */
const upgraded = (hidden: readonly Descriptor[]): FetchHandler => ({
  async fetch(request) {
    const response = await registry.fetch(request)
    if (!new URL(request.url).pathname.includes('/referrers/')) return response
    const index = (await response.json()) as { manifests: Descriptor[] }
    const isHidden = ({ digest }: Descriptor) => hidden.some((one) => one.digest === digest)
    index.manifests = index.manifests.filter((one) => !isHidden(one))
    return new Response(JSON.stringify(index), { headers: { 'content-type': IMAGE_INDEX } })
  },
})

/** Something of the same type as a signature that is none. */
async function attachOther(): Promise<void> {
  const repository = repositoryOn(registry)
  const bytes = encodeUtf8('{}')
  const layer = { ...EMPTY_DESCRIPTOR, mediaType: BUNDLE_TYPE }
  await repository.push(layer, bytes)
  await pushJson(repository, {
    schemaVersion: 2,
    mediaType: IMAGE_MANIFEST,
    artifactType: BUNDLE_TYPE,
    config: EMPTY_DESCRIPTOR,
    layers: [layer],
    subject: artifact,
  })
}

describe('a signature is found', () => {
  it('under the tag, though the API of an upgraded registry lists something of its type', async () => {
    const { written } = await sign(REF, signer, { fetch: createNoReferrersPersona(registry).fetch })
    await attachOther()
    const { signatures, rejected } = await verify(REF, policy, upgraded(written))
    expect(signatures).toHaveLength(1)
    expect(rejected.map(({ error }) => error.code)).toEqual(['ERR_SIGNATURE_INVALID'])
  })

  it('once, where the API and the tag have it both', async () => {
    await sign(REF, signer, { fetch: createNoReferrersPersona(registry).fetch })
    const other = { ...policy, key: (await generateKeyPair()).publicKey }
    await expect(verify(REF, other, registry)).rejects.toMatchObject({
      rejected: [{ error: { reason: 'SIGNATURE_INVALID' } }],
    })
  })

  it.each(['referrer', 'tag'] as const)(
    'as %s, where the list under the tag has an entry that is not what it says',
    async (attach) => {
      const persona = createNoReferrersPersona(registry)
      const { written } = await sign(REF, signer, { attach, fetch: persona.fetch })
      const broken = { ...artifact, size: artifact.size + 1 }
      const list = { schemaVersion: 2, mediaType: IMAGE_INDEX, manifests: [broken, ...written] }
      if (attach === 'tag') list.manifests.length = 1
      const repository = repositoryOn(registry)
      await repository.tag(await pushJson(repository, list, IMAGE_INDEX), fallbackTag())
      const { signatures, rejected } = await verify(REF, policy, persona)
      expect(signatures).toHaveLength(1)
      expect(rejected.map(({ error }) => error.code)).toContain('ERR_DIGEST_MISMATCH')
    },
  )

  it('in the older form, where the tag for referrers has no list', async () => {
    const persona = createNoReferrersPersona(registry)
    await sign(REF, signer, { attach: 'tag', fetch: persona.fetch })
    await repositoryOn(registry).tag(artifact, fallbackTag())
    expect((await verify(REF, policy, persona)).signatures).toHaveLength(1)
  })
})

describe('a copy with referrers', () => {
  it('takes along what stands only under the tag of an upgraded registry, once', async () => {
    const { written } = await sign(REF, signer, { fetch: createNoReferrersPersona(registry).fetch })
    await attachOther()
    const from = repositoryOn(upgraded(written))
    const target = createMemoryStore()
    await copy({ store: from, ref: '1' }, { store: target, ref: '1' }, { referrers: true })
    const copied: Descriptor[] = []
    for await (const referrer of target.referrers(artifact)) copied.push(referrer)
    expect(copied).toHaveLength(2)
    expect(copied.map(({ digest }) => digest)).toContain(written[0]!.digest)
  })
})

describe('nobody is told that an artifact is not signed', () => {
  it.each([401, 403, 429, 500, 503])(
    '13: where the referrers, their tag or the older form’s answer %d',
    async (status) => {
      for (const place of ['/referrers/', `/manifests/${fallbackTag()}`, '.sig']) {
        const fetch: FetchHandler['fetch'] = async (request) =>
          new URL(request.url).pathname.includes(place)
            ? new Response('', { status })
            : registry.fetch(request)
        await expect(verify(REF, policy, { fetch, retry: false })).rejects.toMatchObject({
          code: expect.stringMatching(/^ERR_(?:UNAUTHORIZED|RATE_LIMITED|RESPONSE)$/),
          status,
        })
      }
    },
  )
})
