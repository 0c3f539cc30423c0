import { describe, expect, it } from 'vitest'
import { createSchema1Persona } from '../../mocks/personas/schema-1.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { readGraph } from '../../src/store/graph.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { copy } from '../../src/verbs/copy.ts'
import { pull } from '../../src/verbs/pull.ts'
import { resolve } from '../../src/verbs/resolve.ts'
import { generateKeyPair, createKeySigner, sign } from '../../src/verbs/sign.ts'
import { verify } from '../../src/verbs/verify.ts'
import { pushArtifact } from './artifacts.ts'

const REF = 'registry.test/team/hello:old'
const named = { code: 'ERR_CONTENT_INVALID', message: expect.stringContaining('schema 1') }

describe.each([
  ['signed', undefined],
  ['unsigned', 'application/vnd.docker.distribution.manifest.v1+json'],
  ['delivered as plain JSON', 'application/json'],
  ['delivered as an OCI manifest', 'application/vnd.oci.image.manifest.v1+json'],
])('an image of schema 1, %s', (_, type) => {
  const { fetch } = createSchema1Persona(createRegistryHandler(), {
    tag: 'old',
    ...(type !== undefined && { type }),
  })

  it('is refused by name by every reader', async () => {
    const { privateKey, publicKey } = await generateKeyPair()
    const key = { key: publicKey, requireTransparencyLog: false }
    for (const call of [
      () => resolve(REF, { fetch }),
      () => pull(REF, { fetch }),
      () => pull(REF, { fetch, cache: createMemoryStore() }),
      () => copy(REF, { store: createMemoryStore(), ref: '1' }, { fetch }),
      async () => sign(REF, await createKeySigner(privateKey), { fetch }),
      () => verify(REF, key, { fetch }),
    ])
      await expect(call()).rejects.toMatchObject(named)
  })

  it('can be replaced by a push to its tag', async () => {
    const store = createMemoryStore()
    const { manifest } = await pushArtifact(store, 'x', 'new')
    await copy({ store, ref: 'new' }, REF, { fetch })
    expect(await resolve(REF, { fetch })).toEqual(manifest.descriptor)
  })
})

it('an index that lists an image of schema 1 is refused by name', async () => {
  const mediaType = 'application/vnd.docker.distribution.manifest.v1+prettyjws'
  const target = { mediaType, digest: `sha256:${'a'.repeat(64)}`, size: 9 } as const
  await expect(readGraph(createMemoryStore(), target)).rejects.toMatchObject(named)
})
