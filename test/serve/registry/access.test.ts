import { describe, expect, it } from 'vitest'
import { createBasicAuthorizer } from '../../../src/serve/http/basic.ts'
import { EXPOSED_HEADERS } from '../../../src/serve/http/cors.ts'
import { createRegistryHandler } from '../../../src/serve/registry/handler.ts'
import { createTokenService } from '../../../src/serve/token-service.ts'
import type { TokenServiceOptions } from '../../../src/serve/token-service.ts'
import { codeOf, createClient } from './client.ts'
import type { AuthScope } from '../../../src/types.ts'

const basic = (name: string, password: string): Record<string, string> => ({
  Authorization: `Basic ${btoa(`${name}:${password}`)}`,
})

const rules = {
  authenticate: (name: string, password: string) =>
    password === `${name}:secret` ? name : undefined,
  permit: (user: string | undefined, { repository, actions }: AuthScope) =>
    actions.every((action) => action === 'pull')
      ? user !== undefined || repository.startsWith('public/')
      : repository.startsWith(`${user}/`),
}

describe('CORS', () => {
  const headers = {
    Origin: 'https://app.example',
    'Access-Control-Request-Method': 'PUT',
    'Access-Control-Request-Headers': 'authorization,content-type',
  }

  it('answers preflights before authentication', async () => {
    const { send } = createClient({
      authorize: () => false,
      cors: { origins: ['https://app.example'] },
    })
    const response = await send('OPTIONS', '/v2/a/blobs/uploads/', { headers })
    expect(response.status).toBe(204)
    expect(response.headers.get('Access-Control-Allow-Origin')).toBe('https://app.example')
    for (const method of ['HEAD', 'PUT', 'PATCH', 'POST', 'DELETE'])
      expect(response.headers.get('Access-Control-Allow-Methods')).toContain(method)
    for (const header of [
      'Authorization',
      'Content-Type',
      'Content-Range',
      'Range',
      'If-Match',
      'If-None-Match',
    ])
      expect(response.headers.get('Access-Control-Allow-Headers')).toContain(header)
    expect(response.headers.get('Access-Control-Allow-Credentials')).toBeNull()
  })

  it('exposes error responses and all headers that clients need', async () => {
    const { send } = createClient({
      authorize: createBasicAuthorizer(rules),
      cors: { origins: '*' },
    })
    const response = await send('GET', '/v2/', { headers: { Origin: 'https://any.example' } })
    expect([response.status, response.headers.get('Access-Control-Allow-Origin')]).toEqual([
      401,
      '*',
    ])
    for (const header of EXPOSED_HEADERS)
      expect(response.headers.get('Access-Control-Expose-Headers')).toContain(header)
  })

  it('allows no other origin, and none by default', async () => {
    const some = createClient({ cors: { origins: ['https://app.example'] } })
    const response = await some.send('GET', '/v2/', { headers: { Origin: 'https://evil.example' } })
    expect([
      response.headers.get('Access-Control-Allow-Origin'),
      response.headers.get('Vary'),
    ]).toEqual([null, 'Origin'])
    const none = await createClient().send('OPTIONS', '/v2/', { headers })
    expect([
      none.status,
      none.headers.get('Access-Control-Allow-Origin'),
      none.headers.get('Access-Control-Allow-Methods'),
    ]).toEqual([204, null, null])
    expect(() => createRegistryHandler({ cors: { origins: ['https://app.example/'] } })).toThrow(
      TypeError,
    )
  })
})

describe('Basic', () => {
  const client = createClient({
    authorize: createBasicAuthorizer({ ...rules, realm: 'a "realm"' }),
  })

  it('challenges anonymous requests and wrong passwords, even where anonymous access is allowed', async () => {
    for (const headers of [
      {},
      basic('ann', 'wrong'),
      { Authorization: 'Basic !' },
      { Authorization: 'Bearer x' },
    ]) {
      const response = await client.send('GET', '/v2/ann/x/tags/list', { headers })
      expect([
        response.status,
        response.headers.get('WWW-Authenticate'),
        await codeOf(response),
      ]).toEqual([401, 'Basic realm="a realm",charset="UTF-8"', 'UNAUTHORIZED'])
    }
    expect((await client.send('GET', '/v2/public/x/tags/list')).status).toBe(404)
    expect(
      (await client.send('GET', '/v2/public/x/tags/list', { headers: basic('ann', 'wrong') }))
        .status,
    ).toBe(401)
  })

  it('enforces the permissions of users', async () => {
    const ann = basic('ann', 'ann:secret')
    expect((await client.send('POST', '/v2/ann/x/blobs/uploads/', { headers: ann })).status).toBe(
      202,
    )
    const response = await client.send('POST', '/v2/bob/x/blobs/uploads/', { headers: ann })
    expect([response.status, await codeOf(response)]).toEqual([403, 'DENIED'])
  })
})

describe('Bearer', () => {
  const setUp = (options: Partial<TokenServiceOptions> = {}): ReturnType<typeof createClient> =>
    createClient(createTokenService({ ...rules, service: 'test', ...options }))

  async function tokenFor(
    client: ReturnType<typeof createClient>,
    scope: string,
    headers: Record<string, string> = {},
  ): Promise<string> {
    const response = await client.send(
      'GET',
      `/token?service=test&scope=${encodeURIComponent(scope)}`,
      { headers },
    )
    expect(response.status).toBe(200)
    return ((await response.json()) as { token: string }).token
  }

  it('challenges with realm and scope', async () => {
    const { send } = setUp()
    const read = async (method: string, path: string): Promise<string | null> =>
      (await send(method, path)).headers.get('WWW-Authenticate')
    const start = 'Bearer realm="https://registry.test/token",service="test"'
    expect(await read('GET', '/v2/')).toBe(start)
    expect(await read('GET', '/v2/a/b/tags/list')).toBe(`${start},scope="repository:a/b:pull"`)
    expect(await read('POST', '/v2/a/blobs/uploads/')).toBe(
      `${start},scope="repository:a:pull,push"`,
    )
    expect(await read('DELETE', '/v2/a/manifests/x')).toBe(`${start},scope="repository:a:delete"`)
    expect(await read('GET', '/v2/_catalog')).toBe(`${start},scope="registry:catalog:*"`)
    expect(await read('POST', `/v2/a/blobs/uploads/?mount=sha256:${'0'.repeat(64)}&from=b`)).toBe(
      `${start},scope="repository:a:pull,push repository:b:pull"`,
    )
  })

  it('grants the scopes of the token that the user has', async () => {
    const client = setUp()
    const ann = basic('ann', 'ann:secret')
    const token = await tokenFor(client, 'repository:ann/x:pull,push', ann)
    const headers = { Authorization: `Bearer ${token}` }
    expect((await client.send('POST', '/v2/ann/x/blobs/uploads/', { headers })).status).toBe(202)
    expect((await client.send('GET', '/v2/', { headers })).status).toBe(200)
    for (const [method, path] of [
      ['DELETE', '/v2/ann/x/manifests/v1'],
      ['GET', '/v2/ann/y/tags/list'],
    ] as const) {
      const response = await client.send(method, path, { headers })
      expect(response.status).toBe(401)
      expect(response.headers.get('WWW-Authenticate')).toContain('error="insufficient_scope"')
    }
    // Only permitted actions are granted.
    const other = await tokenFor(client, 'repository:bob/x:pull,push', ann)
    expect(
      (
        await client.send('GET', '/v2/bob/x/tags/list', {
          headers: { Authorization: `Bearer ${other}` },
        })
      ).status,
    ).toBe(404)
    expect(
      (
        await client.send('POST', '/v2/bob/x/blobs/uploads/', {
          headers: { Authorization: `Bearer ${other}` },
        })
      ).status,
    ).toBe(401)
    const stranger = await tokenFor(client, 'repository:public/x:pull')
    expect(
      (
        await client.send('GET', '/v2/public/x/tags/list', {
          headers: { Authorization: `Bearer ${stranger}` },
        })
      ).status,
    ).toBe(404)
  })

  it('rejects forged and expired tokens', async () => {
    const [client, other, brief] = [setUp(), setUp(), setUp({ lifetime: 0 })]
    const ann = basic('ann', 'ann:secret')
    const good = await tokenFor(client, 'repository:ann/x:pull', ann)
    const [head, payload] = good.split('.')
    const forged = btoa('{"alg":"none"}').replace(/=/g, '')
    for (const token of [
      await tokenFor(other, 'repository:ann/x:pull', ann),
      `${head}.${payload}.`,
      `${forged}.${payload}.`,
      `${good}x`,
      'x',
      `${head}.${payload}`,
    ]) {
      expect(
        (
          await client.send('GET', '/v2/ann/x/tags/list', {
            headers: { Authorization: `Bearer ${token}` },
          })
        ).status,
        token,
      ).toBe(401)
    }
    const over = await tokenFor(brief, 'repository:ann/x:pull', ann)
    expect(
      (
        await brief.send('GET', '/v2/ann/x/tags/list', {
          headers: { Authorization: `Bearer ${over}` },
        })
      ).status,
    ).toBe(401)
    const secret = new Uint8Array(32).fill(7)
    const [one, two] = [setUp({ secret }), setUp({ secret })]
    const shared = await tokenFor(one, 'repository:ann/x:pull', ann)
    expect(
      (
        await two.send('GET', '/v2/ann/x/tags/list', {
          headers: { Authorization: `Bearer ${shared}` },
        })
      ).status,
    ).toBe(404)
    const elsewhere = setUp({ secret, service: 'other' })
    expect(
      (
        await elsewhere.send('GET', '/v2/ann/x/tags/list', {
          headers: { Authorization: `Bearer ${shared}` },
        })
      ).status,
    ).toBe(401)
    expect(() => setUp({ secret: new Uint8Array(31) })).toThrow(TypeError)
  })

  it('issues tokens by form, and refresh tokens that are not accepted as access tokens', async () => {
    const client = setUp()
    const post = (form: Record<string, string>): Promise<Response> =>
      client.send('POST', '/token', {
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ service: 'test', client_id: 'x', ...form }).toString(),
      })
    const first = await post({
      grant_type: 'password',
      username: 'ann',
      password: 'ann:secret',
      scope: 'repository:ann/x:pull',
      access_type: 'offline',
    })
    expect([first.status, first.headers.get('Cache-Control')]).toEqual([200, 'no-store'])
    const { refresh_token: refresh } = (await first.json()) as { refresh_token: string }
    const second = await post({
      grant_type: 'refresh_token',
      refresh_token: refresh,
      scope: 'repository:ann/x:pull repository:ann/y:pull',
    })
    const { access_token: access, expires_in: lifetime } = (await second.json()) as {
      access_token: string
      expires_in: number
    }
    expect(lifetime).toBe(300)
    for (const name of ['x', 'y'])
      expect(
        (
          await client.send('GET', `/v2/ann/${name}/tags/list`, {
            headers: { Authorization: `Bearer ${access}` },
          })
        ).status,
      ).toBe(404)
    expect(
      (await client.send('GET', '/v2/', { headers: { Authorization: `Bearer ${refresh}` } }))
        .status,
    ).toBe(401)
    for (const form of [
      { grant_type: 'refresh_token', refresh_token: access },
      { grant_type: 'password', username: 'ann', password: 'x' },
    ])
      expect((await post(form)).status).toBe(401)
    expect((await post({ grant_type: 'other' })).status).toBe(400)
    expect((await post({ service: 'wrong', grant_type: 'password' })).status).toBe(400)
    expect((await client.send('POST', '/token', { body: 'x'.repeat(70_000) })).status).toBe(413)
    expect((await client.send('PUT', '/token', { body: 'x' })).status).toBe(405)
    expect(
      (
        await client.send('GET', '/token?scope=repository:ann/x:pull', {
          headers: basic('ann', 'no'),
        })
      ).status,
    ).toBe(401)
  })
})

it('calls the hook only with valid repository names', async () => {
  const asked: string[] = []
  const { send } = createClient({
    authorize(_, { repository }) {
      asked.push(repository)
      return { challenge: { scheme: 'Bearer', parameters: { scope: `for ${repository}` } } }
    },
  })
  for (const from of ['', '../secret', 'A', 'a%20repository:b:pull,push', 'b'])
    await send('POST', `/v2/a/blobs/uploads/?mount=sha256:${'0'.repeat(64)}&from=${from}`)
  expect(new Set(asked)).toEqual(new Set(['a', 'b']))
})

describe('internal failures', () => {
  it('are reported to the operator and not to the client', async () => {
    const told: unknown[] = []
    const failure = new Error('/secret/path is full')
    const registry = createRegistryHandler({
      storage: {
        get: () => Promise.reject(failure),
        head: () => Promise.reject(failure),
        put: () => Promise.reject(failure),
        delete: () => Promise.reject(failure),
        list: () => Promise.reject(failure),
      },
      onError: (error) => told.push(error),
    })
    const response = await registry.fetch(new Request('https://registry.test/v2/a/manifests/v1'))
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('secret')
    expect(told).toEqual([failure])
  })
})
