import { describe, expect, it } from 'vitest'
import type { FetchLike } from '../../src/types.ts'
import { always, REGISTRY, relayBefore, RELAY } from '../serve/relay/relay.ts'

const challenge = (realm: string): FetchLike =>
  always(401, {
    'www-authenticate': `Bearer realm="${realm}",service="s",scope="repository:a:pull"`,
  })

// Clients send passwords to the realm.
describe('a relay', () => {
  it.each([
    'https://evil.example/token',
    'http://registry.example/token',
    'https://registry.example:8443/token',
    'https://registry.example@evil.example/token',
    'https://user:pass@registry.example/token',
    'https://registry.example.evil.example/token',
    'https://127.0.0.1/token',
    'https://registry.example./token',
    'https://registry.example\\@evil.example/token',
    'https://xn--rgistry-2fg.example/token',
    '//evil.example/token',
    '/token',
    'https://auth.docker.io/token',
    'nonsense',
  ])('drops a challenge with the realm %s', async (realm) => {
    const { ask } = relayBefore(challenge(realm))
    const response = await ask('/registry.example/v2/')
    expect(response.status).toBe(403)
    expect(response.headers.get('www-authenticate')).toBeNull()
    expect(await response.text()).not.toContain('evil.example')
  })

  it('keeps the other challenge when one of two is dropped', async () => {
    const { ask } = relayBefore(
      always(401, { 'www-authenticate': 'Bearer realm="https://evil.example/t", Basic realm="r"' }),
    )
    const response = await ask('/registry.example/v2/')
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Basic realm="r"')
  })

  it('accepts only realms that it has signed, for the same registry and purpose', async () => {
    const registries = [REGISTRY, 'other.example']
    const { ask, sent } = relayBefore(challenge('https://registry.example/token'), { registries })
    const offered = (await ask('/registry.example/v2/')).headers.get('www-authenticate') ?? ''
    const realm = /realm="([^"]+)"/.exec(offered)![1]!
    expect(realm.startsWith(`${RELAY}/relay/registry.example/_relay/token/`)).toBe(true)
    const path = realm.slice(`${RELAY}/relay`.length)
    sent.length = 0
    for (const wrong of [
      path.replace('registry.example', 'other.example'),
      path.replace('/token/', '/upload/'),
      path.slice(0, -2),
      `${path}x`,
      path.replace(
        /(?<=\/token\/[^.]+)\.[^.]+\./,
        `.${btoa('{"aud":"relay token","registry":"registry.example","repository":"","url":"https://evil.example","exp":9999999999}').replace(/=+$/, '')}.`,
      ),
      '/registry.example/_relay/token/https://evil.example/token',
      '/registry.example/_relay/token/',
    ]) {
      const response = await ask(wrong, { headers: { Authorization: 'Basic dTpw' } })
      expect(response.status, wrong).toBe(404)
    }
    expect(sent).toEqual([])
    // A relay with another secret.
    const stranger = relayBefore(undefined, { secret: new Uint8Array(32).fill(8) })
    expect((await stranger.ask(path)).status).toBe(404)
  })

  it('sends a password to the realm and not to its redirect', async () => {
    const { ask, sent } = relayBefore(async (request) =>
      request.url.endsWith('/v2/')
        ? challenge('https://registry.example/token')(request)
        : new Response(null, { status: 307, headers: { location: 'https://evil.example/token' } }),
    )
    const offered = (await ask('/registry.example/v2/')).headers.get('www-authenticate')!
    const path = /realm="([^"]+)"/.exec(offered)![1]!.slice(`${RELAY}/relay`.length)
    for (const method of ['GET', 'POST']) {
      sent.length = 0
      const response = await ask(`${path}?service=s&evil=1`, {
        method,
        headers: {
          Authorization: 'Basic dTpw',
          ...(method === 'POST' && { 'content-type': 'application/x-www-form-urlencoded' }),
        },
        ...(method === 'POST' && { body: 'password=p' }),
      })
      expect(response.status).toBe(403)
      expect(sent.map(({ url }) => url)).toEqual(['https://registry.example/token?service=s'])
    }
  })

  it('knows the token service of Docker Hub for each of its host names', async () => {
    for (const host of ['docker.io', 'registry-1.docker.io', 'index.docker.io']) {
      const { ask, sent } = relayBefore(challenge('https://auth.docker.io/token'), {
        registries: ['docker.io'],
      })
      expect((await ask(`/${host}/v2/`)).status).toBe(401)
      expect(sent[0]!.url).toBe('https://registry-1.docker.io/v2/')
    }
  })
})
