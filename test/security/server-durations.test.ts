import { describe, expect, it } from 'vitest'
import { createBindleClient } from '../../src/bindle/client.ts'
import { loginBindle } from '../../src/bindle/oidc.ts'
import { digestOf } from '../../src/bytes/digest.ts'
import { createTransport } from '../../src/http/transport.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { requestIdentityToken } from '../../src/trust/keyless/device-flow.ts'

// A server names how long to wait, or how to split what is sent: none of it may hold a call for ever.

describe('a login at a Bindle server', () => {
  const pending = () => Response.json({ error: 'authorization_pending' }, { status: 400 })
  const slower = () => Response.json({ error: 'slow_down' }, { status: 400 })

  it.each([
    ['a code that lasts for ever', { expires_in: 2 ** 53 - 1 }, pending],
    ['an interval of a century', { interval: 3_000_000_000 }, pending],
    ['both', { expires_in: 2 ** 53 - 1, interval: 3_000_000_000 }, pending],
    ['no interval', { expires_in: 2 ** 53 - 1, interval: 0 }, pending],
    ['ever longer intervals', { expires_in: 2 ** 53 - 1 }, slower],
  ])('ends after 30 minutes where it names %s', async (_, login, answer) => {
    const transport = createTransport({
      fetch: async ({ url }) =>
        url.includes('/v1/login')
          ? Response.json({
              device_code: 'device',
              user_code: 'ABCD-EFGH',
              verification_uri: 'https://id.test/go',
              expires_in: 1800,
              interval: 5,
              client_id: 'bindle',
              token_url: 'https://id.test/token',
              ...login,
            })
          : answer(),
    })
    const waits: number[] = []
    const shown: number[] = []
    await expect(
      loginBindle(createBindleClient('https://bindle.test/v1', { transport }), {
        transport,
        onCode: ({ expiresIn }) => void shown.push(expiresIn),
        wait: async (seconds) => void waits.push(seconds),
      }),
    ).rejects.toMatchObject({ code: 'ERR_UNAUTHORIZED' })
    expect(shown).toEqual([1800])
    expect(waits.reduce((sum, seconds) => sum + seconds)).toBeLessThanOrEqual(1860)
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(1)
    expect(Math.max(...waits)).toBeLessThanOrEqual(60)
  })
})

describe('a login at an identity provider', () => {
  const pending = () => Response.json({ error: 'authorization_pending' }, { status: 400 })
  const slower = () => Response.json({ error: 'slow_down' }, { status: 400 })

  const logIn = (device: object, answer = pending) => {
    const waits: number[] = []
    let asked = 0
    const login = requestIdentityToken({
      issuer: 'https://id.test',
      prompt: () => {},
      wait: async (seconds) => void waits.push(seconds),
      async fetch({ url }) {
        if (url.endsWith('/token')) {
          if (++asked > 1800) throw new Error('flooded')
          return answer()
        }
        if (url.endsWith('/device'))
          return Response.json({
            device_code: 'device',
            user_code: 'ABCD-EFGH',
            verification_uri: 'https://id.test/go',
            expires_in: 1800,
            ...device,
          })
        return Response.json({
          issuer: 'https://id.test',
          device_authorization_endpoint: 'https://id.test/device',
          token_endpoint: 'https://id.test/token',
        })
      },
    })
    return { login, waits }
  }

  it.each([
    ['a code that lasts for ever', { expires_in: 2 ** 53 - 1 }, pending],
    ['an interval of a century', { interval: 3_000_000_000 }, pending],
    ['no interval', { interval: 0, expires_in: 60 }, pending],
    ['ever longer intervals', {}, slower],
  ])('ends after 30 minutes where it names %s', async (_, device, answer) => {
    const { login, waits } = logIn(device, answer)
    await expect(login).rejects.toMatchObject({ code: 'ERR_TIMEOUT' })
    expect(waits.reduce((sum, seconds) => sum + seconds)).toBeLessThanOrEqual(1860)
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(1)
    expect(Math.max(...waits)).toBeLessThanOrEqual(60)
  })

  it.each([-1, 1.5, 1e300, 'soon', '', true, []])(
    'is refused with an interval of %j',
    async (interval) => {
      const { login } = logIn({ interval })
      await expect(login).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
    },
  )
})

describe('an upload', () => {
  async function push(hints: Record<string, string>, size: number, chunkSize?: number) {
    const sent: Array<readonly [string, number]> = []
    const bytes = new Uint8Array(size)
    const repository = createRepository(parseReference('registry.test/a/b:1'), {
      retry: false,
      ...(chunkSize !== undefined && { chunkSize }),
      fetch: async (request) => {
        if (request.method === 'HEAD') return new Response(null, { status: 404 })
        const { length } = new Uint8Array(await request.arrayBuffer())
        if (length > 0 || request.method === 'PATCH') sent.push([request.method, length])
        const location = 'https://registry.test/v2/a/b/blobs/uploads/1'
        const at = sent.reduce((sum, [, count]) => sum + count, 0) - 1
        const headers = { location, range: `0-${at}`, ...hints }
        return new Response(null, { status: request.method === 'PUT' ? 201 : 202, headers })
      },
    })
    const digest = await digestOf(bytes)
    await repository.push({ mediaType: 'application/octet-stream', digest, size }, bytes)
    return sent
  }

  it.each(['0.5', '1.5', '1e-9', '-1', '0', 'NaN', 'Infinity', '0x10', ''])(
    'ignores a largest chunk of %j bytes, and sends the blob whole',
    async (length) => {
      expect(await push({ 'OCI-Chunk-Max-Length': length }, 10)).toEqual([['PUT', 10]])
    },
  )

  it.each([undefined, 1000])(
    'is not split into more than 10 000 requests (%s)',
    async (chunkSize) => {
      const hints = { 'OCI-Chunk-Max-Length': '1' }
      await expect(push(hints, 10_001, chunkSize)).rejects.toMatchObject({
        code: 'ERR_LIMIT_EXCEEDED',
        message: expect.stringContaining('at most 1 bytes per chunk'),
      })
    },
  )

  it('buffers no chunk of any size that the registry asks for', async () => {
    const hints = { 'OCI-Chunk-Min-Length': String(65 * 1024 * 1024) }
    await expect(push(hints, 66 * 1024 * 1024, 1024)).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
      message: expect.stringContaining('leave out "chunkSize"'),
    })
  })

  it('follows hints that can be followed', async () => {
    expect(await push({ 'OCI-Chunk-Max-Length': '4' }, 10)).toEqual([
      ['PATCH', 4],
      ['PATCH', 4],
      ['PATCH', 2],
    ])
  })
})
