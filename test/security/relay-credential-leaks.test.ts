import { describe, expect, it } from 'vitest'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createRelayHandler } from '../../src/serve/relay/handler.ts'
import { createTokenAuthPersona } from '../../mocks/personas/token-auth.ts'
import { DIGEST, PAGE, REGISTRY, relayBefore } from '../serve/relay/relay.ts'

const LOGIN = { username: 'relay', password: 'pa55word' }
const persona = (): ReturnType<typeof createTokenAuthPersona> =>
  createTokenAuthPersona(createRegistryHandler(), { ...LOGIN, anonymous: false })

// A relay's own credentials allow what the operator permits, and are never sent to a page.
describe('a relay with credentials', () => {
  const options = {
    credentials: () => LOGIN,
    authorize: ({ repository }: { repository: string }, request: Request) =>
      request.headers.get('relay-authorization') === 'user' && /^(?:team\/.*|)$/.test(repository),
    writable: ({ repository }: { repository: string }) => repository === 'team/app',
  }
  const user = { 'Relay-Authorization': 'user', Origin: PAGE }

  it('requires a rule for who can use them', () => {
    expect(() =>
      createRelayHandler({ registries: [REGISTRY], origins: [], credentials: () => LOGIN }),
    ).toThrow(TypeError)
  })

  it('uses them for allowed requests, and reveals neither them nor their tokens', async () => {
    const { ask, sent } = relayBefore(persona(), options)
    const start = await ask('/registry.example/v2/team/app/blobs/uploads/', {
      method: 'POST',
      headers: user,
    })
    expect(start.status).toBe(202)
    expect(sent.some(({ headers }) => headers.get('authorization')?.startsWith('Bearer '))).toBe(
      true,
    )
    const missing = await ask('/registry.example/v2/team/app/manifests/none', { headers: user })
    expect(missing.status).toBe(404)
    for (const response of [start, missing]) {
      const all = [...response.headers].join() + (await response.text())
      expect(all).not.toMatch(/pa55word|token-\d|cmVsYXk6/)
      expect(response.headers.get('www-authenticate')).toBeNull()
    }
  })

  it('uses them for no other request and no other registry', async () => {
    const { ask, sent } = relayBefore(persona(), options)
    const requests: ReadonlyArray<readonly [string, string, Record<string, string>]> = [
      ['GET', '/registry.example/v2/team/app/manifests/v1', { Origin: PAGE }],
      ['GET', '/registry.example/v2/other/app/manifests/v1', user],
      ['POST', '/registry.example/v2/team/other/blobs/uploads/', user],
      ['DELETE', '/registry.example/v2/team/app/manifests/v1', user],
      // A mount reads from the other repository.
      [
        'POST',
        `/registry.example/v2/team/app/blobs/uploads/?mount=${DIGEST}&from=other/secret`,
        user,
      ],
      [
        'POST',
        `/registry.example/v2/team/app/blobs/uploads/?mount=${DIGEST}&from=team/x&from=other/secret`,
        user,
      ],
    ]
    for (const [method, path, headers] of requests)
      expect((await ask(path, { method, headers })).status, `${method} ${path}`).toBe(403)
    expect(sent).toEqual([])
  })

  it('does not mount from any repository with them', async () => {
    const { ask, sent } = relayBefore(persona(), options)
    const path = `/registry.example/v2/team/app/blobs/uploads/?mount=${DIGEST}`
    expect((await ask(path, { method: 'POST', headers: user })).status).toBe(202)
    expect(sent.some(({ url }) => url.includes('mount'))).toBe(false)
  })

  it.each(['', 'team/../secret', 'Team', 'team/app%00', 'team/app,secret'])(
    'lets nobody mount from %j, which may be anywhere to a registry',
    async (from) => {
      const { ask, sent } = relayBefore(persona(), { ...options, authorize: () => true })
      const path = `/registry.example/v2/team/app/blobs/uploads/?mount=${DIGEST}&from=${from}`
      expect((await ask(path, { method: 'POST', headers: user })).status).toBe(400)
      expect(sent).toEqual([])
    },
  )

  it('prevents browsers from serving a cached response to another user', async () => {
    const { ask } = relayBefore(async () => new Response('blob'), {
      authorize: options.authorize,
    })
    const path = `/registry.example/v2/team/app/blobs/${DIGEST}`
    const response = await ask(path, { headers: user })
    expect(response.headers.get('cache-control')).toContain('max-age')
    expect(response.headers.get('vary')).toContain('Relay-Authorization')
  })

  it('drops challenges that would make a page send its own password', async () => {
    const wrong = createTokenAuthPersona(createRegistryHandler(), {
      username: 'another',
      password: 'x',
      anonymous: false,
    })
    const { ask } = relayBefore(wrong, options)
    const response = await ask('/registry.example/v2/team/app/manifests/v1', { headers: user })
    expect(response.status).toBe(403)
    expect(response.headers.get('www-authenticate')).toBeNull()
    expect(await response.text()).not.toContain('pa55word')
  })

  it('does not mix them with the credentials of a page', async () => {
    const { ask, sent } = relayBefore(persona(), options)
    await ask('/registry.example/v2/team/app/manifests/v1', {
      headers: { ...user, Authorization: 'Bearer mine' },
    })
    expect(sent.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer mine'])
  })

  it('reveals nothing about internal failures', async () => {
    const told: unknown[] = []
    const { ask } = relayBefore(
      async () => {
        throw new Error('connect ECONNREFUSED 10.1.2.3 with pa55word')
      },
      { onError: (error) => told.push(error) },
    )
    const response = await ask('/registry.example/v2/a/manifests/v1')
    expect(response.status).toBe(502)
    expect(await response.text()).not.toMatch(/10\.1\.2\.3|pa55word/)
    expect(told).toHaveLength(1)
  })
})
