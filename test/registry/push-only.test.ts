import { describe, expect, it } from 'vitest'
import { createPushOnlyPersona } from '../../mocks/personas/push-only.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { FetchHandler, FetchLike } from '../../src/types.ts'
import { copy } from '../../src/verbs/copy.ts'
import { blobOf, collect, manifestOf, pushArtifact } from './artifacts.ts'

const REF = 'registry.test/t/a:1'
const retry = { delay: () => 1 }

/** An artifact with a large layer, a small one and a referrer, in memory. */
async function createSource() {
  const store = createMemoryStore()
  const large = await blobOf(new Uint8Array(300_000))
  await store.push(large.descriptor, large.bytes)
  const { manifest, layer } = await pushArtifact(store, 'x', '1')
  const root = await manifestOf([large.descriptor, layer.descriptor])
  await store.push(root.descriptor, root.bytes, { tag: '1' })
  const referrer = await manifestOf([layer.descriptor], { subject: root.descriptor })
  await store.push(referrer.descriptor, referrer.bytes)
  return { store, root, referrer, other: manifest }
}

describe.each([400, 401, 403, 404, 405, 501, 503])('with reads answered %i', (status) => {
  it('an artifact is pushed, and pushed again', async () => {
    const registry = createRegistryHandler()
    const { store, root } = await createSource()
    const { fetch } = createPushOnlyPersona(registry, status)
    for (let time = 0; time < 2; time++)
      expect(await copy({ store, ref: '1' }, REF, { fetch, retry })).toEqual(root.descriptor)
    const reader = createRepository(REF, { fetch: registry.fetch })
    expect(await reader.resolve('1')).toEqual(root.descriptor)
  })
})

describe('credentials for pushing only', () => {
  it('push an artifact with its referrers, the tag last', async () => {
    const registry = createRegistryHandler()
    const { store, root, referrer } = await createSource()
    const persona = createPushOnlyPersona(registry, 403)
    await copy({ store, ref: '1' }, REF, { fetch: persona.fetch, retry, referrers: true })
    expect(persona.requests.filter((request) => request.startsWith('PUT')).at(-1)).toBe(
      'PUT /v2/t/a/manifests/1',
    )
    const reader = createRepository(REF, { fetch: registry.fetch })
    expect(await collect(reader.referrers(root.descriptor))).toMatchObject([
      { digest: referrer.descriptor.digest },
    ])
  })

  it('push blobs that can’t be mounted', async () => {
    const registry = createRegistryHandler()
    const { fetch } = createPushOnlyPersona(registry, 403)
    const { store } = await createSource()
    await copy({ store, ref: '1' }, 'registry.test/t/from:1', registry)
    const reading: FetchLike = (request) =>
      request.url.includes('/t/from/') ? registry.fetch(request) : fetch(request)
    await copy('registry.test/t/from:1', REF, { fetch: reading, retry })
    expect(await createRepository(REF, { fetch: registry.fetch }).resolve('1')).toBeTruthy()
  })

  it('push chunks, and start over if the status of the session is refused', async () => {
    const registry = createRegistryHandler()
    const { fetch } = createPushOnlyPersona(registry, 403)
    let patches = 0
    let sessions = 0
    const repository = createRepository(REF, {
      retry,
      chunkSize: 1000,
      fetch: async (request) => {
        if (request.method === 'POST') sessions++
        if (request.method === 'GET') return new Response(null, { status: 403 })
        if (request.method === 'PATCH' && ++patches === 2) throw new TypeError('fetch failed')
        return fetch(request)
      },
    })
    const blob = await blobOf(new Uint8Array(3000))
    await repository.push(blob.descriptor, blob.bytes)
    expect(sessions).toBe(2)
  })

  it('do not push a referrer that could not be found', async () => {
    const registry = createRegistryHandler()
    const { fetch } = createPushOnlyPersona(registry, 403)
    const repository = createRepository(REF, {
      retry,
      fetch: async (request) => {
        const response = await fetch(request)
        response.headers.delete('oci-subject')
        return response
      },
    })
    const { store, referrer, root } = await createSource()
    await copy({ store, ref: '1' }, REF, registry)
    expect(root.descriptor).toBeTruthy()
    await expect(repository.push(referrer.descriptor, referrer.bytes)).rejects.toMatchObject({
      status: 403,
      method: 'GET',
    })
  })
})

describe.each([400, 401, 403])('a token service that answers %i to a scope with pull', (status) => {
  /** Grants `push` alone; every other scope is refused as a whole. */
  const behindService = (registry: FetchHandler, password = 'good') => {
    const scopes: string[] = []
    const fetch: FetchLike = async (request) => {
      const url = new URL(request.url)
      const login = request.headers.get('authorization')
      if (url.host === 'auth.test') {
        const asked = url.searchParams.getAll('scope')
        scopes.push(asked.join(' '))
        const isGranted = login === `Basic ${btoa(`robot:${password}`)}`
        return isGranted && asked.every((scope) => scope === 'repository:t/a:push')
          ? Response.json({ token: 'push' })
          : new Response(null, { status })
      }
      if (login === 'Bearer push') return registry.fetch(request)
      const challenge = 'Bearer realm="https://auth.test/token",service="s"'
      return new Response(null, { status: 401, headers: { 'www-authenticate': challenge } })
    }
    return { fetch, scopes }
  }
  const credentials = () => ({ username: 'robot', password: 'good' })

  it('does not stop a push, and receives one request for pull and push together', async () => {
    const registry = createRegistryHandler()
    const { store, root } = await createSource()
    const { fetch, scopes } = behindService(registry)
    // One after another: what is asked side by side can't be known from before.
    await copy({ store, ref: '1' }, REF, { fetch, retry: false, credentials, concurrency: 1 })
    const reader = createRepository(REF, { fetch: registry.fetch })
    expect(await reader.resolve('1')).toEqual(root.descriptor)
    expect(scopes.filter((scope) => scope.endsWith('pull,push'))).toHaveLength(1)
    expect(scopes.filter((scope) => scope === 'repository:t/a:push')).toHaveLength(1)
  })

  it('stops a push with a wrong password, after one request without pull', async () => {
    const { store } = await createSource()
    const { fetch, scopes } = behindService(createRegistryHandler(), 'other')
    await expect(
      copy({ store, ref: '1' }, REF, { fetch, retry: false, credentials, concurrency: 1 }),
    ).rejects.toMatchObject({ status })
    expect(scopes.filter((scope) => scope.endsWith(':push'))).toHaveLength(1)
  })
})

describe('a push still fails for', () => {
  const pushWith = async (fetch: FetchLike): Promise<unknown> => {
    const { store } = await createSource()
    return copy({ store, ref: '1' }, REF, { fetch, retry: false })
  }

  it('an unreachable registry, without more requests than before', async () => {
    let asked = 0
    await expect(
      pushWith(async () => {
        asked++
        throw new TypeError('fetch failed')
      }),
    ).rejects.toMatchObject({ code: 'ERR_NETWORK' })
    expect(asked).toBe(2)
  })

  it('a refusal to write', async () => {
    await expect(pushWith(async () => new Response(null, { status: 403 }))).rejects.toMatchObject({
      status: 403,
      method: 'POST',
    })
  })

  it('an abort, with its reason', async () => {
    const stop = new AbortController()
    const reason = new Error('enough')
    const { store } = await createSource()
    const fetch = async (): Promise<Response> => {
      stop.abort(reason)
      return new Response(null, { status: 403 })
    }
    await expect(
      copy({ store, ref: '1' }, REF, { fetch, retry: false, signal: stop.signal }),
    ).rejects.toBe(reason)
  })
})

describe('a response of another kind', () => {
  it.each([
    'application/vnd.docker.distribution.manifest.v2+json',
    'application/json',
    'text/html',
    'application/octet-stream',
  ])('as %s does not stop the second push', async (type) => {
    const registry = createRegistryHandler()
    const { store, root } = await createSource()
    const fetch: FetchLike = async (request) => {
      const response = await registry.fetch(request)
      if (request.url.includes('/manifests/') && request.method !== 'PUT')
        response.headers.set('content-type', type)
      return response
    }
    for (let time = 0; time < 2; time++)
      expect(await copy({ store, ref: '1' }, REF, { fetch, retry })).toEqual(root.descriptor)
  })

  it.each([
    ['a page', '<html>'],
    ['nothing', ''],
    ['another manifest', '{"schemaVersion":2,"mediaType":"text/plain"}'],
    ['more than is read', ' '.repeat(5 * 1024 * 1024)],
  ])('as %s does not stop the second push', async (_, body) => {
    const registry = createRegistryHandler()
    const { store, root } = await createSource()
    const fetch: FetchLike = async (request) =>
      request.url.includes('/manifests/') && request.method === 'GET'
        ? new Response(body, { headers: { 'content-type': 'text/html' } })
        : registry.fetch(request)
    for (let time = 0; time < 2; time++)
      expect(await copy({ store, ref: '1' }, REF, { fetch, retry })).toEqual(root.descriptor)
  })
})
