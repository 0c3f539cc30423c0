import { describe, expect, it } from 'vitest'
import { createBaseChallengePersona } from '../../mocks/personas/base-challenge.ts'
import { readVerified } from '../../src/bytes/verified.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import type { AuthScope, CredentialSource, FetchLike } from '../../src/types.ts'
import { blobOf, pushArtifact } from './artifacts.ts'

const login = { username: 'user', password: 'pa:ss' }
const open = (fetch: FetchLike, credentials?: CredentialSource) =>
  createRepository('registry.test/t/a', {
    fetch,
    retry: false,
    ...(credentials === undefined ? {} : { credentials }),
  })
const asksForBase = (requests: readonly string[]): number =>
  requests.filter((request) => request === 'GET /v2/').length

describe.each([
  [401, 'basic'],
  [403, 'basic'],
  [404, 'basic'],
  [401, 'bearer'],
  [403, 'bearer'],
  [404, 'bearer'],
] as const)(
  'a registry that answers strangers %i and asks for %s at /v2/ only',
  (status, scheme) => {
    const create = () =>
      createBaseChallengePersona(createRegistryHandler(), { ...login, status, scheme })

    it('is pushed to and pulled from with one request to /v2/', async () => {
      const persona = create()
      const repository = open(persona.fetch, login)
      const { manifest, layer } = await pushArtifact(repository, 'x', 'v1')
      expect(await repository.resolve('v1')).toEqual(manifest.descriptor)
      await readVerified(await repository.fetch(layer.descriptor), layer.descriptor)
      expect(asksForBase(persona.requests)).toBe(1)
    })

    it('answers first reads of a manifest, a blob, its existence, tags and referrers', async () => {
      const persona = create()
      const { manifest, layer } = await pushArtifact(open(persona.fetch, login), 'x', 'v1')
      for (const read of [
        async () => open(persona.fetch, login).resolve('v1'),
        async () => open(persona.fetch, login).resolve('v1', { withBytes: true }),
        async () => open(persona.fetch, login).fetch(layer.descriptor),
        async () => open(persona.fetch, login).has(layer.descriptor),
        async () => open(persona.fetch, login).tags()[Symbol.asyncIterator]().next(),
        async () =>
          open(persona.fetch, login).referrers(manifest.descriptor)[Symbol.asyncIterator]().next(),
      ])
        expect(await read()).toBeTruthy()
    })

    it('receives one request to /v2/ for many concurrent requests', async () => {
      const persona = create()
      const repository = open(persona.fetch, login)
      const blobs = await Promise.all(Array.from({ length: 16 }, (_, n) => blobOf(`blob ${n}`)))
      await Promise.all(blobs.map(({ descriptor, bytes }) => repository.push(descriptor, bytes)))
      expect(asksForBase(persona.requests)).toBe(1)
    })

    it('refuses a wrong password without looping', async () => {
      const persona = create()
      const repository = open(persona.fetch, { ...login, password: 'wrong' })
      const { descriptor, bytes } = await blobOf('x')
      await expect(repository.push(descriptor, bytes)).rejects.toMatchObject({
        name: 'ResponseError',
      })
      expect(persona.requests.length).toBeLessThanOrEqual(4)
    })
  },
)

describe('without credentials', () => {
  it.each([403, 404] as const)('/v2/ is not requested after %i', async (status) => {
    const persona = createBaseChallengePersona(createRegistryHandler(), { ...login, status })
    for (const credentials of [undefined, () => undefined]) {
      await expect(open(persona.fetch, credentials).resolve('v1')).rejects.toMatchObject({
        name: 'ResponseError',
        status,
      })
    }
    expect(asksForBase(persona.requests)).toBe(0)
  })

  it('fetches an anonymous token by the challenge of /v2/ after 401', async () => {
    const repository = open(async (request) => {
      const { pathname, origin } = new URL(request.url)
      if (pathname === '/token') return Response.json({ token: 'for-everybody' })
      if (request.headers.get('authorization') === 'Bearer for-everybody') return new Response('x')
      const challenge = { 'www-authenticate': `Bearer realm="${origin}/token"` }
      return new Response(null, { status: 401, headers: pathname === '/v2/' ? challenge : {} })
    })
    const { descriptor } = await blobOf('x')
    expect(await repository.has(descriptor)).toBe(true)
  })
})

describe('/v2/ that offers no challenge', () => {
  const answering = (status: number, headers: Record<string, string> = {}) => {
    const asked: string[] = []
    const fetch = async (request: Request): Promise<Response> => {
      const { host, pathname } = new URL(request.url)
      asked.push(`${host}${pathname} ${request.headers.get('authorization') ?? '-'}`)
      return pathname === '/v2/'
        ? new Response(null, { status, headers })
        : new Response(null, { status: 403 })
    }
    return { asked, repository: open(fetch, login) }
  }

  it.each<[string, number, Record<string, string>]>([
    ['answers everybody', 200, {}],
    ['refuses without one', 401, {}],
    ['has one that is not known', 401, { 'www-authenticate': 'Negotiate' }],
    ['has a token service without an address', 401, { 'www-authenticate': 'Bearer service="s"' }],
    ['is not there', 404, {}],
    ['fails', 500, {}],
    ['leads elsewhere', 307, { location: 'https://elsewhere.test/v2/' }],
  ])('leaves what was answered: %s', async (_, status, headers) => {
    const { asked, repository } = answering(status, headers)
    const { descriptor } = await blobOf('x')
    for (const count of [2, 3]) {
      await expect(repository.fetch(descriptor)).rejects.toMatchObject({ status: 403 })
      expect(asked).toHaveLength(count)
    }
    expect(asked.every((line) => line.startsWith('registry.test/') && line.endsWith(' -'))).toBe(
      true,
    )
  })

  it('is requested again after a failure', async () => {
    let bases = 0
    const repository = open(async (request) => {
      if (!request.url.endsWith('/v2/')) return new Response(null, { status: 403 })
      bases++
      throw new TypeError('fetch failed')
    }, login)
    const { descriptor } = await blobOf('x')
    for (let call = 0; call < 2; call++)
      await expect(repository.fetch(descriptor)).rejects.toMatchObject({ status: 403 })
    expect(bases).toBe(2)
  })

  it('is accepted with status 200, as zot sends it', async () => {
    const { asked, repository } = answering(200, { 'www-authenticate': 'Basic realm="zot"' })
    await expect(repository.fetch((await blobOf('x')).descriptor)).rejects.toMatchObject({
      status: 403,
    })
    expect(asked.map((line) => line.replace(/^\S+ /, ''))).toEqual([
      '-',
      '-',
      `Basic ${btoa('user:pa:ss')}`,
    ])
  })
})

describe('a keychain', () => {
  it('that fails is reported for a challenge, not for a 404', async () => {
    const broken = (_: AuthScope) => Promise.reject(new Error('the keychain is locked'))
    const open404 = open(async () => new Response(null, { status: 404 }), broken)
    await expect(open404.resolve('v1')).rejects.toMatchObject({ status: 404 })
    const persona = createBaseChallengePersona(createRegistryHandler(), { ...login, status: 404 })
    await expect(open(persona.fetch, broken).resolve('v1')).rejects.toThrow('is locked')
  })

  it('is not called for a registry that allows anonymous access', async () => {
    let asked = 0
    const { fetch } = createRegistryHandler()
    await pushArtifact(
      open(fetch, () => {
        asked++
        return login
      }),
      'x',
      'v1',
    )
    expect(asked).toBe(0)
  })
})

it('renews a token that is refused without a challenge by the challenge of /v2/', async () => {
  let token = 0
  const repository = open(async (request) => {
    const { pathname, origin } = new URL(request.url)
    if (pathname === '/token') return Response.json({ token: `t${++token}` })
    const sent = request.headers.get('authorization')
    if (sent === `Bearer t${token}` && token > 0) return new Response('x')
    return new Response(null, {
      status: 401,
      headers: pathname === '/v2/' ? { 'www-authenticate': `Bearer realm="${origin}/token"` } : {},
    })
  }, login)
  const { descriptor } = await blobOf('x')
  await repository.fetch(descriptor)
  token = 2
  await repository.fetch(descriptor)
  expect(token).toBe(3)
})
