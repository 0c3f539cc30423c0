import { describe, expect, it } from 'vitest'
import { createRelayFetch } from '../../src/http/relay-fetch.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createRelayHandler } from '../../src/serve/relay/handler.ts'
import type { RelayHandlerOptions } from '../../src/serve/relay/handler.ts'
import { loadApp } from '../../src/spin/source/load-app.ts'
import { createTransport } from '../../src/http/transport.ts'
import { createRepository } from '../../src/registry/repository.ts'
import type { FetchHandler, FetchLike } from '../../src/types.ts'
import { copy } from '../../src/verbs/copy.ts'
import { pull } from '../../src/verbs/pull.ts'
import { push } from '../../src/verbs/push.ts'
import { createGhcrPersona } from '../../mocks/personas/ghcr.ts'
import { createNoCorsPersona } from '../../mocks/personas/no-cors.ts'
import { createRedirectingBlobsPersona } from '../../mocks/personas/redirecting-blobs.ts'
import { createTokenAuthPersona } from '../../mocks/personas/token-auth.ts'

const MANIFEST = `spin_manifest_version = 2
[application]
name = "hello"
version = "1.0.0"
[[trigger.http]]
route = "/..."
component = "web"
[component.web]
source = "web.wasm"
files = [{ source = "static", destination = "/" }]
`
const WASM = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)
const TEXT = '<h1>hello</h1>'.repeat(60_000)
const files = { 'spin.toml': MANIFEST, 'web.wasm': WASM, 'static/index.html': TEXT }
const LOGIN = { username: 'user', password: 'secret' }

/** What a page has: no way to the registry but through the relay. */
function through(upstream: FetchHandler, options: Partial<RelayHandlerOptions> = {}): FetchLike {
  const relay = createRelayHandler({
    registries: ['registry.test', 'other.test'],
    origins: [],
    writable: () => true,
    fetch: upstream.fetch,
    ...options,
  })
  const page = createNoCorsPersona()
  return createRelayFetch('https://relay.test/relay', {
    fetch: (request) =>
      new URL(request.url).host === 'relay.test' ? relay.fetch(request) : page.fetch(request),
  })
}

async function proveRoundTrip(upstream: FetchHandler, more: Partial<RelayHandlerOptions> = {}) {
  const transport = createTransport({
    fetch: through(upstream, more),
    credentials: () => LOGIN,
    retry: { limit: 3, delay: () => 1 },
  })
  const pushed = await push(await loadApp(files), 'registry.test/team/hello:1', { transport })
  const pulled = await pull(pushed.reference, { transport })
  expect(await pulled.component('web')).toEqual(WASM)
  expect(
    new TextDecoder().decode((await pulled.files('web')).get('index.html') as Uint8Array),
  ).toBe(TEXT)
  await copy('registry.test/team/hello:1', 'other.test/mirror/hello:1', { transport })
  expect(
    (await createRepository('other.test/mirror/hello', { transport }).resolve('1')).digest,
  ).toBe(pushed.descriptor.digest)
}

describe('through a relay', () => {
  it('an app goes to a registry and comes back', () => proveRoundTrip(createRegistryHandler()))

  it('it goes to one with a token service', async () => {
    const persona = createTokenAuthPersona(createRegistryHandler(), { ...LOGIN, anonymous: false })
    await proveRoundTrip(persona)
    expect(persona.issued.length).toBeGreaterThan(0)
  })

  it('it goes to one whose token service is elsewhere, when the operator knows that', async () => {
    const realm = 'https://auth.test/token'
    const persona = () => createTokenAuthPersona(createRegistryHandler(), { ...LOGIN, realm })
    const realms = { 'registry.test': [realm], 'other.test': [realm] }
    await proveRoundTrip(persona(), { realms })
    await expect(proveRoundTrip(persona())).rejects.toMatchObject({ status: 403 })
  })

  it('it goes to one that takes a refresh token', async () => {
    const persona = createTokenAuthPersona(createRegistryHandler(), { ...LOGIN, refresh: true })
    const transport = createTransport({
      fetch: through(persona),
      credentials: { refreshToken: LOGIN.password },
    })
    const { reference } = await push(await loadApp(files), 'registry.test/a:1', { transport })
    expect(reference).toContain('registry.test/a@')
    expect(persona.issued.every(({ method }) => method === 'POST')).toBe(true)
  })

  it('it comes from one that keeps blobs elsewhere, which sees no password', async () => {
    const persona = createRedirectingBlobsPersona(createRegistryHandler())
    await proveRoundTrip(persona)
    expect(persona.leaks).toEqual([])
  })

  it('it goes to GitHub, which limits, forgets and redirects', () =>
    proveRoundTrip(createGhcrPersona(createRegistryHandler(), { refuseEvery: 9 })))

  it('a page pushes with credentials that only the relay has', async () => {
    const persona = createTokenAuthPersona(createRegistryHandler(), { ...LOGIN, anonymous: false })
    const fetch = through(persona, { credentials: () => LOGIN, authorize: () => true })
    const pushed = await push(await loadApp(files), 'registry.test/team/hello:1', { fetch })
    expect((await pull(pushed.reference, { fetch })).descriptor).toEqual(pushed.descriptor)
  })

  it('a large body keeps its length, both ways', async () => {
    const registry = createRegistryHandler()
    const lengths: (string | null)[] = []
    const fetch = through({
      fetch: (request) => {
        if (request.method === 'PUT') lengths.push(request.headers.get('content-length'))
        return registry.fetch(request)
      },
    })
    const bytes = new Uint8Array(3_000_000).map((_, index) => index)
    const relayed = async (path: string, init?: RequestInit): Promise<Response> =>
      fetch(new Request(`https://registry.test${path}`, init))
    const digest = `sha256:${[...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`
    const start = await relayed('/v2/a/blobs/uploads/', { method: 'POST' })
    const location = start.headers.get('location')!
    expect(location).toMatch(/^https:\/\/registry\.test\/v2\/a\/blobs\/uploads\//)
    const put = await relayed(`${new URL(location).pathname}?digest=${digest}`, {
      method: 'PUT',
      body: bytes,
      headers: { 'content-length': String(bytes.length) },
    })
    expect(put.status).toBe(201)
    const got = await relayed(`/v2/a/blobs/${digest}`)
    expect(got.headers.get('content-length')).toBe(String(bytes.length))
    expect(new Uint8Array(await got.arrayBuffer())).toEqual(bytes)
  })

  it('what is not for a registry goes its own way', async () => {
    const asked: string[] = []
    const fetch = createRelayFetch('https://relay.test/relay/', {
      headers: { 'Relay-Authorization': 'me' },
      fetch: async (request) => {
        asked.push(`${request.url} ${request.headers.get('relay-authorization')}`)
        return new Response()
      },
    })
    await fetch(new Request('https://rekor.test/api/v1/log'))
    await fetch(new Request('https://registry.test:5000/v2/a/tags/list?n=2'))
    expect(asked).toEqual([
      'https://rekor.test/api/v1/log null',
      'https://relay.test/relay/registry.test:5000/v2/a/tags/list?n=2 me',
    ])
  })
})
