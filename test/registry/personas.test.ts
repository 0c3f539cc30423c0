import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createAcrPersona } from '../../mocks/personas/acr.ts'
import { createChunkMinimumPersona } from '../../mocks/personas/chunk-minimum.ts'
import { createDockerHubPersona } from '../../mocks/personas/docker-hub.ts'
import { createEcrPersona } from '../../mocks/personas/ecr.ts'
import { createGarPersona } from '../../mocks/personas/gar.ts'
import { createGhcrPersona } from '../../mocks/personas/ghcr.ts'
import { createMediaTypeListPersona } from '../../mocks/personas/media-type-list.ts'
import { createNoCorsPersona } from '../../mocks/personas/no-cors.ts'
import { createNoReferrersPersona } from '../../mocks/personas/no-referrers.ts'
import { createRedirectingBlobsPersona } from '../../mocks/personas/redirecting-blobs.ts'
import { createTokenAuthPersona } from '../../mocks/personas/token-auth.ts'
import { createUnsortedTagsPersona } from '../../mocks/personas/unsorted-tags.ts'
import { readVerified } from '../../src/bytes/verified.ts'
import { createTransportOn } from '../../src/http/transport.ts'
import { exchangeAzureToken } from '../../src/registry/azure-exchange.ts'
import { createRepository, type RepositoryOptions } from '../../src/registry/repository.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import type { FetchHandler } from '../../src/types.ts'
import { blobOf, collect, manifestOf, pushArtifact } from './artifacts.ts'

const retry = { delay: () => 1 }
const open = (handler: FetchHandler, options: RepositoryOptions = {}, path = 'registry.test/t/a') =>
  createRepository(path, { fetch: handler.fetch, retry, ...options })
const login = { username: 'user', password: 'pa:ss' }

describe('a registry with a token service', () => {
  it('issues one token for a push of many concurrent requests', async () => {
    const persona = createTokenAuthPersona(createRegistryHandler(), login)
    const repository = open(persona, { credentials: login })
    const blobs = await Promise.all(Array.from({ length: 16 }, (_, n) => blobOf(`blob ${n}`)))
    await Promise.all(blobs.map(({ descriptor, bytes }) => repository.push(descriptor, bytes)))
    await pushArtifact(repository, 'x', 'v1')
    await repository.resolve('v1')
    expect(persona.issued).toEqual([{ method: 'GET', scopes: ['repository:t/a:pull,push'] }])
  })

  it('allows pulls without credentials, and a push reports that a login is needed', async () => {
    const persona = createTokenAuthPersona(createRegistryHandler(), login)
    await pushArtifact(open(persona, { credentials: login }), 'x', 'v1')
    expect((await open(persona).resolve('v1')).size).toBeGreaterThan(0)
    const { descriptor, bytes } = await blobOf('y')
    await expect(open(persona).push(descriptor, bytes)).rejects.toMatchObject({
      code: 'ERR_UNAUTHORIZED',
      status: 401,
    })
  })

  it('issues one token for both repositories of a mount', async () => {
    const persona = createTokenAuthPersona(createRegistryHandler(), login)
    const { layer } = await pushArtifact(
      open(persona, { credentials: login }, 'registry.test/t/from'),
      'x',
      'v1',
    )
    const target = open(persona, { credentials: login }, 'registry.test/t/to')
    expect(await target.mount(layer.descriptor, 't/from')).toBe(true)
    expect(persona.issued.at(-1)?.scopes).toEqual([
      'repository:t/to:pull,push',
      'repository:t/from:pull',
    ])
  })

  it('issues a new token when one is revoked or about to expire', async () => {
    // Time stands still, so that no token ends before it was used, however slow the machine is.
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => void vi.useRealTimers())
    const persona = createTokenAuthPersona(createRegistryHandler(), login)
    const repository = open(persona, { credentials: login })
    await pushArtifact(repository, 'x', 'v1')
    persona.revoke()
    await repository.resolve('v1')
    const before = persona.issued.length
    vi.setSystemTime(Date.now() + 55_000)
    await repository.resolve('v1')
    expect(persona.issued.length).toBe(before + 1)
  })

  it('accepts a refresh token in either form', async () => {
    const persona = createTokenAuthPersona(createRegistryHandler(), {
      ...login,
      refresh: true,
      anonymous: false,
    })
    await pushArtifact(open(persona, { credentials: { refreshToken: login.password } }), 'x', 'v1')
    await open(persona, { credentials: { username: '<token>', password: login.password } }).resolve(
      'v1',
    )
    expect(persona.issued.map(({ method }) => method)).toEqual(['POST', 'POST'])
  })

  it('needs one lookup per scope, and a keychain’s error ends the call', async () => {
    const persona = createTokenAuthPersona(createRegistryHandler(), { ...login, anonymous: false })
    const asked: string[] = []
    const repository = open(persona, {
      credentials: (scope) => {
        asked.push(`${scope.registry}/${scope.repository}:${scope.actions.join()}`)
        return login
      },
    })
    await pushArtifact(repository, 'x', 'v1')
    await repository.resolve('v1')
    expect(asked).toEqual(['registry.test/t/a:pull,push', 'registry.test/t/a:pull'])
    const locked = new Error('the keychain is locked')
    await expect(
      open(persona, { credentials: () => Promise.reject(locked) }).resolve('v1'),
    ).rejects.toBe(locked)
  })
})

describe('a registry with blobs elsewhere', () => {
  it('receives no credentials at the redirect target', async () => {
    const registry = createRegistryHandler()
    const storage = createRedirectingBlobsPersona(registry)
    const gate = createTokenAuthPersona(storage, { ...login, anonymous: false })
    const repository = open(
      {
        fetch: (request) =>
          new URL(request.url).host === 'storage.test'
            ? storage.fetch(request)
            : gate.fetch(request),
      },
      { credentials: login },
    )
    const { layer } = await pushArtifact(repository, 'x', 'v1')
    expect(await readVerified(await repository.fetch(layer.descriptor), layer.descriptor)).toEqual(
      layer.bytes,
    )
    expect(storage.leaks).toEqual([])
  })
})

describe('GHCR', () => {
  it('is pushed to through 429s, forgotten sessions and relative locations', async () => {
    const persona = createGhcrPersona(createRegistryHandler(), {
      refuseEvery: 5,
      forget: (count) => count % 3 === 1,
    })
    const repository = open(persona)
    const { manifest, layer } = await pushArtifact(repository, 'x', 'v1')
    expect(persona.refused()).toBeGreaterThan(0)
    const signature = await manifestOf([layer.descriptor], { subject: manifest.descriptor })
    await repository.push(signature.descriptor, signature.bytes)
    const found = await collect(repository.referrers(manifest.descriptor))
    expect(found.map(({ digest }) => digest)).toEqual([signature.descriptor.digest])
  })

  it('receives a blob in one request when its chunks are too large', async () => {
    const repository = open(createGhcrPersona(createRegistryHandler()), { chunkSize: 5_000_000 })
    const large = await blobOf(new Uint8Array(6_000_000))
    await repository.push(large.descriptor, large.bytes)
    expect(await repository.has(large.descriptor)).toBe(true)
  })
})

describe('ECR', () => {
  it('uses Basic, drops chunks and sends unreliable headers, so blobs are sent in one request', async () => {
    const persona = createEcrPersona(createRegistryHandler(), 'twelve hours')
    const repository = open(persona, {
      credentials: { username: 'AWS', password: 'twelve hours' },
      chunkSize: 1000,
    })
    const { manifest, layer } = await pushArtifact(repository, new Uint8Array(5000), 'v1')
    const signature = await manifestOf([layer.descriptor], { subject: manifest.descriptor })
    await repository.push(signature.descriptor, signature.bytes)
    expect((await collect(repository.referrers(manifest.descriptor))).length).toBe(1)
    await readVerified(await repository.fetch(layer.descriptor), layer.descriptor)
    expect(persona.leaks).toEqual([])
  })
})

describe('ACR', () => {
  it('accepts an exchanged Entra token', async () => {
    const persona = createAcrPersona(createRegistryHandler(), 'entra')
    const credentials = await exchangeAzureToken('registry.test', 'entra', { fetch: persona.fetch })
    await pushArtifact(open(persona, { credentials }), 'x', 'v1')
    expect(persona.issued.every(({ method }) => method === 'POST')).toBe(true)
    await expect(
      exchangeAzureToken('registry.test', 'another', { fetch: persona.fetch }),
    ).rejects.toMatchObject({ code: 'ERR_UNAUTHORIZED' })
  })
})

describe('Docker Hub', () => {
  it('is reached at its API host, and its rate limit is reported at once', async () => {
    const persona = createDockerHubPersona(createRegistryHandler(), { ...login, pulls: 1 })
    const hub = open(persona, { credentials: login }, 'docker.io/team/hello')
    const { manifest } = await pushArtifact(hub, 'x', 'v1')
    await hub.resolve('v1')
    await hub.fetch(manifest.descriptor)
    await expect(open(persona, {}, 'team/hello').fetch(manifest.descriptor)).rejects.toMatchObject({
      status: 429,
      retryAfter: 21_600_000,
    })
  })
})

describe('other registries', () => {
  it('Google: long locations, no chunks', async () => {
    const repository = open(createGarPersona(createRegistryHandler()), { chunkSize: 1000 })
    const blob = await blobOf(new Uint8Array(5000))
    await repository.push(blob.descriptor, blob.bytes)
    expect(await repository.has(blob.descriptor)).toBe(true)
  })

  it('GitLab and Quay: the refusal names the type and the list', async () => {
    const repository = open(createMediaTypeListPersona(createRegistryHandler(), []))
    await expect(pushArtifact(repository, 'x', 'v1')).rejects.toThrow(
      /unknown media type: .*keep a list/s,
    )
  })

  it('respects a minimum chunk size', async () => {
    const persona = createChunkMinimumPersona(createRegistryHandler(), 4000)
    const blob = await blobOf(new Uint8Array(10_000))
    await open(persona, { chunkSize: 1000 }).push(blob.descriptor, blob.bytes)
    expect(persona.chunks).toEqual([4000, 4000, 2000])
  })

  it('lists tags in order, over pages with links without brackets', async () => {
    const registry = createRegistryHandler()
    const { manifest } = await pushArtifact(open(registry), 'x', 'b')
    for (const tag of ['c', 'a', 'd']) await open(registry).tag(manifest.descriptor, tag)
    for (const pageSize of [undefined, 1, 3])
      expect(
        await collect(
          open(
            createUnsortedTagsPersona(registry, pageSize === undefined ? {} : { pageSize }),
          ).tags(),
        ),
      ).toEqual(['a', 'b', 'c', 'd'])
  })

  it('uses the referrers tag only without the referrers API', async () => {
    for (const [handler, tags] of [
      [createRegistryHandler(), 1],
      [createNoReferrersPersona(createRegistryHandler()), 2],
    ] as const) {
      const repository = open(handler)
      const { manifest, layer } = await pushArtifact(repository, 'x', 'v1')
      const referrer = await manifestOf([layer.descriptor], {
        subject: manifest.descriptor,
        artifactType: 'a/b',
      })
      await repository.push(referrer.descriptor, referrer.bytes)
      expect(
        (await collect(repository.referrers(manifest.descriptor, { artifactType: 'a/b' }))).length,
      ).toBe(1)
      expect(
        (await collect(repository.referrers(manifest.descriptor, { artifactType: 'a/c' }))).length,
      ).toBe(0)
      expect((await collect(repository.tags())).length).toBe(tags)
    }
  })

  it('in a page, the error for a registry without CORS names the headers that it must allow', async () => {
    const page = { isBrowser: true, origin: 'https://app.test' }
    const transport = createTransportOn(page, { fetch: createNoCorsPersona().fetch, retry: false })
    const repository = createRepository('registry.test/t/a', { transport })
    await expect(repository.resolve('v1')).rejects.toThrow(
      /CORS.*https:\/\/app\.test.*Authorization.*WWW-Authenticate.*relay/s,
    )
  })
})
