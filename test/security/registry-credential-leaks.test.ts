import { describe, expect, it } from 'vitest'
import { createTransport } from '../../src/http/transport.ts'
import { createRepository } from '../../src/registry/repository.ts'

const credentials = { username: 'user', password: 'hunter22' }
const scope = { registry: 'registry.test', repository: 'a', actions: ['pull'] } as const
const retry = false

describe('credentials', () => {
  it('do not go along to another origin, nor to http', async () => {
    const seen: string[] = []
    const fetch = async (request: Request): Promise<Response> => {
      const { origin, pathname } = new URL(request.url)
      seen.push(`${origin} ${request.headers.get('authorization')}`)
      if (origin !== 'https://registry.test') return new Response('ok')
      if (request.headers.get('authorization') === null)
        return new Response(null, {
          status: 401,
          headers: { 'www-authenticate': 'Basic realm="x"' },
        })
      return new Response(null, {
        status: 307,
        headers: {
          location: pathname === '/down' ? 'http://registry.test/x' : 'https://evil.test/x',
        },
      })
    }
    const transport = createTransport({ fetch, credentials, retry })
    await transport.fetch({ url: 'https://registry.test/v2/', scope })
    expect(seen.at(-1)).toBe('https://evil.test null')
    await expect(
      transport.fetch({ url: 'https://registry.test/down', scope }),
    ).rejects.toMatchObject({ code: 'ERR_RESPONSE' })
    expect(seen.some((line) => line.startsWith('http:'))).toBe(false)
  })

  for (const realm of [
    'http://registry.test/token',
    'https://127.0.0.1/token',
    'https://169.254.169.254/token',
    'https://0x7f.1/token',
    'https://[::ffff:10.0.0.1]/token',
    'https://u:p@auth.test/token',
    'file:///etc/passwd',
  ])
    it(`do not go to a token service at ${realm}`, async () => {
      const seen: string[] = []
      const fetch = async (request: Request): Promise<Response> => {
        seen.push(new URL(request.url).origin)
        return new Response(null, {
          status: 401,
          headers: { 'www-authenticate': `Bearer realm="${realm}",service="s"` },
        })
      }
      const repository = createRepository('registry.test/a', { fetch, credentials, retry })
      await expect(repository.resolve('v1')).rejects.toMatchObject({ code: 'ERR_UNAUTHORIZED' })
      expect(new Set(seen)).toEqual(new Set(['https://registry.test']))
    })

  it.each([
    ['a token service without https', 'Bearer realm="http://auth.test/token"', undefined],
    ['a token service inside the network', 'Bearer realm="https://10.0.0.1/token"', undefined],
    ['another origin', 'Basic realm="x"', 'https://evil.test/v2/'],
    ['plain http', 'Basic realm="x"', 'http://registry.test/v2/'],
  ])('do not go to where the challenge of /v2/ comes from: %s', async (_, challenge, location) => {
    const seen: string[] = []
    const fetch = async (request: Request): Promise<Response> => {
      const { origin, pathname } = new URL(request.url)
      seen.push(`${origin} ${request.headers.get('authorization')}`)
      if (origin === 'https://registry.test' && pathname !== '/v2/')
        return new Response(null, { status: 403 })
      if (origin === 'https://registry.test' && location !== undefined)
        return new Response(null, { status: 307, headers: { location } })
      return new Response(null, { status: 401, headers: { 'www-authenticate': challenge } })
    }
    const repository = createRepository('registry.test/a', { fetch, credentials, retry })
    await expect(repository.resolve('v1')).rejects.toMatchObject({ code: 'ERR_UNAUTHORIZED' })
    expect(new Set(seen)).toEqual(new Set(['https://registry.test null']))
  })

  it('do not stand in messages, even if the server says them', async () => {
    const fetch = async (): Promise<Response> =>
      Response.json(
        {
          errors: [
            {
              code: 'DENIED',
              message: 'Bearer abcdefgh12345 at https://x.test/?sig=topsecret password=hunter22',
            },
          ],
        },
        { status: 403 },
      )
    const error = await createTransport({ fetch, retry })
      .fetch({ url: 'https://registry.test/x?token=hunter22' })
      .catch((reason: unknown) => reason)
    expect(String(error)).not.toMatch(/hunter22|topsecret|abcdefgh/)
    expect(JSON.stringify(error)).not.toMatch(/hunter22|topsecret|abcdefgh/)
  })

  it('of one registry do not go to another', async () => {
    const fetch = async (): Promise<Response> =>
      new Response(null, { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } })
    const transport = createTransport({ fetch, credentials, retry })
    await expect(createRepository('one.test/a', { transport }).resolve('v1')).rejects.toMatchObject(
      { status: 401 },
    )
    await expect(createRepository('two.test/a', { transport }).resolve('v1')).rejects.toThrow(
      TypeError,
    )
  })

  it('do not go over plain http but to loopback or by name', async () => {
    const fetch = async (): Promise<Response> => new Response('ok')
    await expect(
      createTransport({ fetch, retry }).fetch({ url: 'http://registry.test/' }),
    ).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    await createTransport({ fetch, insecure: ['registry.test'] }).fetch({
      url: 'http://registry.test/',
    })
    await createTransport({ fetch }).fetch({ url: 'http://127.0.0.1:5000/' })
  })
})
