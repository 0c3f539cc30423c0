import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTransport } from '../../src/http/transport.ts'
import { createRepository } from '../../src/registry/repository.ts'
import type { Credentials } from '../../src/types.ts'
import { blobOf } from './artifacts.ts'

interface Asked {
  readonly method: string
  readonly query: URLSearchParams
  readonly login: string | null
}

/** A registry behind a token service that answers as told; what is asked of the service is kept. */
function behindTokens(
  answer: (asked: Asked, count: number) => Response,
  isEnough: (token: string | undefined) => boolean = (token) => token !== undefined,
  challenge = 'Bearer realm="https://auth.test/token",service="s",scope="repository:a:pull"',
) {
  const asked: Asked[] = []
  let registry = 0
  const fetch = async (request: Request): Promise<Response> => {
    const url = new URL(request.url)
    if (url.host === 'auth.test') {
      const query =
        request.method === 'POST' ? new URLSearchParams(await request.text()) : url.searchParams
      asked.push({
        method: request.method,
        query,
        login: request.headers.get('authorization'),
      })
      return answer(asked.at(-1)!, asked.length)
    }
    registry++
    const token = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '')?.[1]
    return isEnough(token)
      ? new Response(null)
      : new Response(null, { status: 401, headers: { 'www-authenticate': challenge } })
  }
  const open = (credentials?: Credentials) =>
    createRepository('registry.test/a', {
      fetch,
      retry: false,
      ...(credentials === undefined ? {} : { credentials }),
    })
  return { asked, fetch, open, requests: () => registry }
}

const login = { username: 'user', password: 'pass' }

describe('a token', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['Date'] }))
  afterEach(() => vi.useRealTimers())

  it('is read under either member name', async () => {
    for (const answer of [
      { token: 't' },
      { access_token: 't' },
      { token: '', access_token: 't' },
    ]) {
      const { open } = behindTokens(() => Response.json(answer))
      const { descriptor } = await blobOf('x')
      expect(await open().has(descriptor)).toBe(true)
    }
  })

  it.each<[string, Record<string, unknown>, number]>([
    ['of no said life, after 48 of 60 seconds', {}, 48],
    ['at four fifths of its life', { expires_in: 300 }, 240],
    [
      'counted from when it was issued',
      { expires_in: 300, issued_at: new Date(Date.now() - 100_000).toISOString() },
      140,
    ],
  ])('is renewed %s', async (_, answer, seconds) => {
    vi.setSystemTime(
      answer['issued_at'] === undefined
        ? Date.now()
        : Date.parse(String(answer['issued_at'])) + 100_000,
    )
    const { asked, open } = behindTokens((_asked, count) =>
      Response.json({ token: `t${count}`, ...answer }),
    )
    const repository = open()
    const { descriptor } = await blobOf('x')
    await repository.has(descriptor)
    vi.setSystemTime(Date.now() + (seconds - 1) * 1000)
    await repository.has(descriptor)
    expect(asked).toHaveLength(1)
    vi.setSystemTime(Date.now() + 2000)
    await repository.has(descriptor)
    expect(asked).toHaveLength(2)
  })

  it('is requested by POST if GET is not supported', async () => {
    const { asked, open } = behindTokens(({ method }) =>
      method === 'GET' ? new Response(null, { status: 404 }) : Response.json({ token: 't' }),
    )
    await open(login).has((await blobOf('x')).descriptor)
    expect(asked.map(({ method }) => method)).toEqual(['GET', 'POST'])
    expect(asked[0]?.login).toBe(`Basic ${btoa('user:pass')}`)
    expect(Object.fromEntries(asked[1]!.query)).toEqual({
      grant_type: 'password',
      username: 'user',
      password: 'pass',
      client_id: 'spindle',
      service: 's',
      scope: 'repository:a:pull',
    })
  })

  it('that grants less than requested ends in the error of the registry, without looping', async () => {
    const { asked, open, requests } = behindTokens(
      (_, count) => Response.json({ token: `less-${count}` }),
      () => false,
    )
    await expect(open(login).has((await blobOf('x')).descriptor)).rejects.toMatchObject({
      code: 'ERR_UNAUTHORIZED',
      status: 401,
    })
    expect(asked.length).toBeLessThanOrEqual(3)
    expect(requests()).toBeLessThanOrEqual(4)
  })

  it('is requested again with a larger scope that the registry demands', async () => {
    const { asked, open } = behindTokens(
      ({ query }) => Response.json({ token: query.getAll('scope').join('+') }),
      (token) => token?.includes('registry:catalog:*') === true,
      'Bearer realm="https://auth.test/token",service="s",scope="registry:catalog:*",error="insufficient_scope"',
    )
    const repository = open(login)
    const { descriptor } = await blobOf('x')
    await repository.has(descriptor)
    // What was challenged stands first, and is asked for at once the next time.
    expect(asked[0]?.query.getAll('scope')).toEqual(['registry:catalog:*', 'repository:a:pull'])
    await repository.has((await blobOf('y')).descriptor)
    expect(asked).toHaveLength(1)
  })

  it('in the credentials is sent unchanged, without a token service', async () => {
    const { asked, open } = behindTokens(
      () => new Response(null, { status: 500 }),
      (token) => token === 'mine',
    )
    expect(await open({ token: 'mine' }).has((await blobOf('x')).descriptor)).toBe(true)
    expect(asked).toEqual([])
  })
})

describe('a request that names no repository', () => {
  const scope = { registry: 'registry.test', repository: '', actions: [] }
  const ask = async (challenge: string, credentials: Credentials): Promise<URLSearchParams[]> => {
    const { asked, fetch } = behindTokens(
      ({ method, query }) =>
        method === 'GET' && query.get('service') === 'by form'
          ? new Response(null, { status: 405 })
          : Response.json({ token: 't' }),
      undefined,
      challenge,
    )
    await createTransport({ fetch, credentials, retry: false }).fetch({
      url: 'https://registry.test/v2/',
      scope,
    })
    return asked.map(({ query }) => query)
  }
  const realm = 'Bearer realm="https://auth.test/token"'

  it('requests no scope, by GET and POST', async () => {
    for (const queries of [
      await ask(`${realm},service="s"`, login),
      await ask(`${realm},service="by form"`, login),
      await ask(`${realm},service="s"`, { refreshToken: 'r' }),
    ])
      for (const query of queries) expect(query.has('scope')).toBe(false)
  })

  it('asks for the scope that the registry names', async () => {
    const [query] = await ask(`${realm},service="s",scope="registry:catalog:*"`, login)
    expect(query?.getAll('scope')).toEqual(['registry:catalog:*'])
  })
})
