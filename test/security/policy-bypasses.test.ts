// Content that is run, pulled or copied under a policy must be the verified content, even if the registry changes it.
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { IMAGE_INDEX, IMAGE_MANIFEST } from '../../src/oci/manifest.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { createAppHandler } from '../../src/run/app-handler.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { Policy } from '../../src/trust/policy/policy.ts'
import { formatPublicKey, generateKeyPair } from '../../src/trust/keys/private-key.ts'
import { createKeySigner, type Signer } from '../../src/trust/keys/signer.ts'
import type { Descriptor, FetchHandler, FetchLike, Store, Verifier } from '../../src/types.ts'
import { copy } from '../../src/verbs/copy.ts'
import { pull } from '../../src/verbs/pull.ts'
import { push } from '../../src/verbs/push.ts'
import { sign } from '../../src/verbs/sign.ts'
import { createVerifier } from '../../src/verbs/verify.ts'
import { pushJson } from '../portable/trust-fixture.ts'

const REPOSITORY = 'registry.test/hello'
const REFUSED = { code: 'ERR_POLICY_REJECTED' }
const MANIFEST = `spin_manifest_version = 2
[application]
name = "hello"
[[trigger.http]]
route = "/..."
component = "a"
[component.a]
source = "a.wasm"
`
const wasmOf = (last: number) => Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, 2, 1, last)

let signer: Signer
let policy: Policy
let verify: Verifier
let registry: FetchHandler
/** The signed application, and an attacker's replacement. */
let good: Descriptor
let bad: Descriptor

beforeAll(async () => {
  const pair = await generateKeyPair()
  signer = await createKeySigner(pair)
  policy = { key: await formatPublicKey(pair.publicKey), requireTransparencyLog: false }
  verify = createVerifier(policy)
})
beforeEach(async () => {
  registry = createRegistryHandler()
  const [one, two] = await Promise.all(
    [1, 2].map(async (last) => loadApp({ 'spin.toml': MANIFEST, 'a.wasm': wasmOf(last) })),
  )
  good = (await push(one!, `${REPOSITORY}:good`, registry)).descriptor
  bad = (await push(two!, `${REPOSITORY}:bad`, registry)).descriptor
  await sign(`${REPOSITORY}:good`, signer, registry)
})

/** A registry that moves the tag to the attacker's application after the first request for signatures. */
function swapping(): FetchLike {
  let isVerified = false
  return async (request) => {
    const url = new URL(request.url)
    if (url.pathname.includes('/referrers/')) isVerified = true
    if (!url.pathname.endsWith('/hello/manifests/1')) return registry.fetch(request)
    return registry.fetch(new Request(new URL(isVerified ? 'bad' : 'good', url), request))
  }
}
const bytesOf = async (from: string, fetch: FetchLike) =>
  (await pull(from, { fetch })).component('a')

describe('a tag that moves after it was verified', () => {
  it('does not change what pull reads', async () => {
    const app = await pull(`${REPOSITORY}:1`, { fetch: swapping(), verify })
    expect(app.descriptor.digest).toBe(good.digest)
    expect(await app.component('a')).toEqual(wasmOf(1))
  })

  it('does not change what copy writes', async () => {
    const options = { fetch: swapping(), verify, referrers: true }
    await copy(`${REPOSITORY}:1`, `${REPOSITORY}-mirror:1`, options)
    expect(await bytesOf(`${REPOSITORY}-mirror:1`, registry.fetch)).toEqual(wasmOf(1))
  })
})

describe('a registry that returns other content for the verified digest', () => {
  it.each(['manifests', 'blobs'])('is rejected when it swaps %s', async (kind) => {
    const swapped: FetchLike = async (request) => {
      const { pathname } = new URL(request.url)
      if (request.method !== 'GET' || !pathname.includes(`/${kind}/`))
        return registry.fetch(request)
      const response = await registry.fetch(request)
      // Of the same length, so that only the digest differs.
      const bytes = new Uint8Array(await response.arrayBuffer())
      const isAsked = kind === 'blobs' || pathname.endsWith(good.digest)
      if (isAsked) bytes[bytes.length - 1]! ^= 1
      return new Response(bytes, { headers: response.headers })
    }
    const attempt = async (): Promise<unknown> =>
      (await pull(`${REPOSITORY}@${good.digest}`, { fetch: swapped, verify })).component('a')
    await expect(attempt()).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_(?:DIGEST_MISMATCH|POLICY_REJECTED)$/),
    })
  })

  it('is rejected when it returns a signed manifest as an index', async () => {
    const renamed: FetchLike = async (request) => {
      const response = await registry.fetch(request)
      const { pathname } = new URL(request.url)
      if (!pathname.endsWith(`/manifests/${good.digest}`)) return response
      const headers = new Headers(response.headers)
      headers.set('content-type', IMAGE_INDEX)
      return new Response(response.body, { status: response.status, headers })
    }
    await expect(
      pull(`${REPOSITORY}@${good.digest}`, { fetch: renamed, verify }),
    ).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
  })
})

describe('an index', () => {
  const indexOf = async (...manifests: readonly Descriptor[]): Promise<string> => {
    const repository = createRepository(REPOSITORY, registry)
    const index = { schemaVersion: 2, mediaType: IMAGE_INDEX, manifests }
    return `${REPOSITORY}@${(await pushJson(repository, index, IMAGE_INDEX)).digest}`
  }

  it('is not signed by the signatures of its manifests', async () => {
    const at = await indexOf({ ...good, mediaType: IMAGE_MANIFEST })
    await expect(pull(at, { ...registry, verify })).rejects.toMatchObject(REFUSED)
    await expect(copy(at, `${REPOSITORY}-mirror:1`, { ...registry, verify })).rejects.toMatchObject(
      REFUSED,
    )
  })

  it('that is signed covers its manifests, and nothing else', async () => {
    const at = await indexOf(bad)
    await sign(at, signer, registry)
    const app = await pull(at, { ...registry, verify })
    expect(await app.component('a')).toEqual(wasmOf(2))
    await expect(
      pull(`${REPOSITORY}@${bad.digest}`, { ...registry, verify }),
    ).rejects.toMatchObject(REFUSED)
  })
})

describe('a cache', () => {
  it('does not replace verification', async () => {
    const cache = createMemoryStore()
    await (await pull(`${REPOSITORY}:bad`, { ...registry, cache })).component('a')
    await expect(pull(`${REPOSITORY}:bad`, { ...registry, cache, verify })).rejects.toMatchObject(
      REFUSED,
    )
  })

  it('with other bytes for a digest is ignored, or ends the call', async () => {
    const lying: Store = {
      ...createMemoryStore(),
      has: async () => true,
      fetch: async ({ size }) => new Blob([new Uint8Array(size)]).stream(),
    }
    const app = await pull(`${REPOSITORY}:good`, { ...registry, cache: lying, verify })
    expect(await app.component('a')).toEqual(wasmOf(1))
  })

  it('does not contain signatures: a deleted one does not count', async () => {
    const cache = createMemoryStore()
    await pull(`${REPOSITORY}:good`, { ...registry, cache, verify })
    const unsigned = createRegistryHandler()
    await copy(`${REPOSITORY}:good`, 'registry.test/unsigned:1', {
      fetch: (request) =>
        request.url.includes('/unsigned/') ? unsigned.fetch(request) : registry.fetch(request),
    })
    await expect(
      pull('registry.test/unsigned:1', { ...unsigned, cache, verify }),
    ).rejects.toMatchObject(REFUSED)
  })
})

describe('createAppHandler', () => {
  it('verifies what it runs, not what was verified when it was pulled', async () => {
    const verified = await pull(`${REPOSITORY}:good`, { ...registry, verify })
    const other = await pull(`${REPOSITORY}:bad`, registry)
    const { signatures } = verified
    await expect(createAppHandler({ ...other, signatures }, { verify })).rejects.toMatchObject(
      REFUSED,
    )
  })

  it('rejects an application without a digest', async () => {
    const app = await loadApp({ 'spin.toml': MANIFEST, 'a.wasm': wasmOf(1) })
    await expect(createAppHandler(app, { verify })).rejects.toThrow(TypeError)
  })
})
