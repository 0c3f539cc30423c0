import { describe, expect, it } from 'vitest'
import { createHeadQuirksPersona, type HeadQuirk } from '../../mocks/personas/head-quirks.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createContentCache } from '../../src/store/content-cache.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { streamOf } from '../../src/bytes/stream.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import type { FetchHandler, Store } from '../../src/types.ts'
import { copy } from '../../src/verbs/copy.ts'
import { pull } from '../../src/verbs/pull.ts'
import { push } from '../../src/verbs/push.ts'
import { resolve } from '../../src/verbs/resolve.ts'
import { createKeySigner, generateKeyPair, sign } from '../../src/verbs/sign.ts'
import { verify } from '../../src/verbs/verify.ts'
import { blobOf, manifestOf, pushArtifact } from './artifacts.ts'

const REF = 'registry.test/t/a:1'
const options = { retry: { delay: () => 1 } }
const open = ({ fetch }: FetchHandler) =>
  createRepository('registry.test/t/a', { fetch, ...options })
const files = {
  'spin.toml':
    'spin_manifest_version = 2\n[application]\nname = "a"\n[[trigger.http]]\nroute = "/..."\ncomponent = "a"\n[component.a]\nsource = "a.wasm"\n',
  'a.wasm': Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0),
}

/** A cache as the README shows it: by digest alone. */
function createCacheByDigest(): Store {
  const kept = new Map<string, Uint8Array>()
  return createContentCache({
    get: async (digest) => {
      const bytes = kept.get(digest)
      return bytes && streamOf(bytes)
    },
    put: async (digest, bytes) => void kept.set(digest, bytes),
  })
}

const QUIRKS: HeadQuirk[] = [
  ...[400, 401, 403, 404, 405, 406, 410, 418, 500, 501, 502, 503, 505, 520],
  204,
  'length',
  'empty',
  'no-digest',
  'html',
  'loop',
  'cut',
]

describe.each(QUIRKS)('GET decides when HEAD of a manifest is inconclusive (%s)', (quirk) => {
  const create = () => createHeadQuirksPersona(createRegistryHandler(), quirk)

  it('for a pull, with and without a cache, and again', async () => {
    const persona = create()
    const { descriptor } = await push(await loadApp(files), REF, {
      fetch: persona.fetch,
      ...options,
    })
    for (const cache of [undefined, createMemoryStore(), createCacheByDigest()])
      for (const ref of [REF, REF, `registry.test/t/a@${descriptor.digest}`]) {
        const app = await pull(ref, { fetch: persona.fetch, ...options, ...(cache && { cache }) })
        expect(app.descriptor).toEqual(descriptor)
        expect(await app.component('a')).toEqual(files['a.wasm'])
      }
  })

  it('for a second push, a copy, a signature and its verification', async () => {
    const persona = create()
    const call = { fetch: persona.fetch, ...options }
    const app = await loadApp(files)
    await push(app, REF, call)
    const { descriptor } = await push(app, REF, call)
    expect(await copy(REF, 'registry.test/t/b:1', { ...call, referrers: true })).toEqual(descriptor)
    const { privateKey, publicKey } = await generateKeyPair()
    await sign(REF, await createKeySigner(privateKey), { ...call, attach: 'both' })
    for (const format of ['bundle', 'legacy'] as const) {
      const policy = { key: publicKey, requireTransparencyLog: false, formats: [format] }
      expect((await verify(REF, policy, call)).signatures).toMatchObject([{ format }])
    }
  })

  it('for a tag', async () => {
    const persona = create()
    const { manifest } = await pushArtifact(open(persona), 'x', '1')
    const { digest } = await resolve(REF, { fetch: persona.fetch, ...options })
    expect(digest).toBe(manifest.descriptor.digest)
  })
})

describe('a missing manifest', () => {
  it.each(QUIRKS)('is reported as not found (%s)', async (quirk) => {
    const persona = createHeadQuirksPersona(createRegistryHandler(), quirk)
    await expect(open(persona).resolve('none')).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      method: 'GET',
    })
    const { descriptor } = await manifestOf([])
    expect(await open(persona).has(descriptor)).toBe(false)
  })
})

describe('HEAD', () => {
  it('is not retried: GET follows instead', async () => {
    const persona = createHeadQuirksPersona(createRegistryHandler(), 500)
    await pushArtifact(open(persona), 'x', '1')
    persona.requests.length = 0
    await open(persona).resolve('1')
    expect(persona.requests).toEqual(['HEAD manifests/1', 'GET manifests/1'])
  })

  it('of a missing manifest costs a push one request', async () => {
    const persona = createHeadQuirksPersona(createRegistryHandler(), 404)
    const { descriptor } = await manifestOf([])
    await open(persona).has(descriptor)
    expect(persona.requests).toEqual([`HEAD manifests/${descriptor.digest}`])
  })

  it.each([429, 503])('is not followed by GET after %i with Retry-After', async (status) => {
    let asked = 0
    const fetch = async (): Promise<Response> => {
      asked++
      return new Response(null, { status, headers: { 'retry-after': '3600' } })
    }
    await expect(open({ fetch }).resolve('1')).rejects.toMatchObject({ status })
    expect(asked).toBe(1)
  })

  it('does not contact a token service again after its refusal', async () => {
    let tokens = 0
    const fetch = async ({ url }: Request): Promise<Response> => {
      const { origin, pathname } = new URL(url)
      if (pathname === '/token') tokens++
      const headers = { 'www-authenticate': `Bearer realm="${origin}/token"` }
      return new Response(null, { status: 401, headers: pathname === '/token' ? {} : headers })
    }
    const repository = createRepository('registry.test/t/a', {
      fetch,
      credentials: { username: 'u', password: 'p' },
      retry: false,
    })
    await expect(repository.resolve('1')).rejects.toMatchObject({ code: 'ERR_UNAUTHORIZED' })
    expect(tokens).toBe(1)
  })
})

describe('a blob', () => {
  const quirks: HeadQuirk[] = [400, 401, 403, 405, 500, 501, 'loop', 'cut']
  /** Answers of success that are not about the blob. */
  const others: HeadQuirk[] = [204, 'length', 'empty', 'other-digest', 'html']
  it.each([...quirks, ...others])(
    'is looked for by GET where HEAD is answered badly (%s)',
    async (quirk) => {
      const persona = createHeadQuirksPersona(createRegistryHandler(), quirk, 'blobs')
      const repository = open(persona)
      const [there, empty, missing] = [await blobOf('x'), await blobOf(''), await blobOf('y')]
      for (const { descriptor, bytes } of [there, empty]) await repository.push(descriptor, bytes)
      expect(await repository.has(there.descriptor)).toBe(true)
      expect(await repository.has(empty.descriptor)).toBe(true)
      expect(await repository.has(missing.descriptor)).toBe(false)
    },
  )
})
