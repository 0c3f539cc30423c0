import { describe, expect, it } from 'vitest'
import { createBindleClient } from '../../src/bindle/client.ts'
import { createOidcCredentials, loginBindle, type OidcTokens } from '../../src/bindle/oidc.ts'
import { formatBase64Url } from '../../src/bytes/base64.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { createTransport } from '../../src/http/transport.ts'

const TOKENS = { id_token: 'a.b.c', access_token: 'access', refresh_token: 'refresh' }
const pending = () => Response.json({ error: 'authorization_pending' }, { status: 400 })

/** A Bindle server and its identity provider, which gives these answers one after the other. */
function serving(answers: ReadonlyArray<() => Response>, login: object = {}) {
  const forms: URLSearchParams[] = []
  const asked: string[] = []
  const transport = createTransport({
    fetch: async (request) => {
      const { pathname, host } = new URL(request.url)
      asked.push(host)
      if (pathname === '/v1/login')
        return Response.json({
          device_code: 'device',
          user_code: 'ABCD-EFGH',
          verification_uri: 'https://id.test/go',
          expires_in: 60,
          interval: 2,
          client_id: 'bindle',
          token_url: 'https://id.test/token',
          ...login,
        })
      forms.push(new URLSearchParams(await request.text()))
      return answers[forms.length - 1]!()
    },
  })
  const waits: number[] = []
  const logIn = (): Promise<OidcTokens> =>
    loginBindle(createBindleClient('https://bindle.test/v1', { transport }), {
      transport,
      onCode: () => {},
      wait: async (seconds) => void waits.push(seconds),
    })
  return { transport, asked, forms, waits, logIn }
}

describe('a login by the identity provider of a Bindle server', () => {
  it('waits until the user has confirmed, and longer when it is told to slow down', async () => {
    const slower = () => Response.json({ error: 'slow_down' }, { status: 400 })
    const { logIn, waits, forms } = serving([pending, slower, () => Response.json(TOKENS)])
    expect(await logIn()).toMatchObject({ idToken: 'a.b.c', refreshToken: 'refresh' })
    expect(waits).toEqual([2, 2, 7])
    expect(forms.map((form) => form.get('device_code'))).toEqual(['device', 'device', 'device'])
  })

  it('ends when the code does', async () => {
    const { logIn, waits } = serving(Array(4).fill(pending), { expires_in: 6 })
    await expect(logIn()).rejects.toMatchObject({ code: 'ERR_UNAUTHORIZED' })
    expect(waits).toEqual([2, 2, 2])
  })

  it('says that the user declined', async () => {
    const { logIn } = serving([() => Response.json({ error: 'access_denied' }, { status: 400 })])
    await expect(logIn()).rejects.toMatchObject({
      code: 'ERR_UNAUTHORIZED',
      message: expect.stringContaining('access_denied'),
    })
  })

  it('gives the code of the device to nobody in the clear', async () => {
    const { logIn, forms } = serving([], { token_url: 'http://id.test/token' })
    await expect(logIn()).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
    expect(forms).toEqual([])
  })

  it('takes no secret along where the provider sends it', async () => {
    const away = () =>
      new Response(null, { status: 307, headers: { location: 'https://else.test/token' } })
    const { logIn, asked } = serving([away])
    await expect(logIn()).rejects.toMatchObject({ code: 'ERR_RESPONSE' })
    expect(asked).toEqual(['bindle.test', 'id.test'])
  })

  it('says so when the answer breaks off, and reads none without an end', async () => {
    const cut = () =>
      new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(encodeUtf8('{"id_token": "a'))
            controller.error(new TypeError('terminated'))
          },
        }),
      )
    await expect(serving([cut]).logIn()).rejects.toMatchObject({ code: 'ERR_NETWORK' })
    const endless = () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(0x20)),
        }),
      )
    await expect(serving([endless]).logIn()).rejects.toMatchObject({ code: 'ERR_LIMIT_EXCEEDED' })
  })

  it('is renewed once for all requests that wait for it, and the new tokens are handed out', async () => {
    const token = (seconds: number): string => {
      const exp = Math.floor(Date.now() / 1000) + seconds
      return `e30.${formatBase64Url(encodeUtf8(JSON.stringify({ exp })))}.x`
    }
    const fresh = { ...TOKENS, id_token: token(3600), refresh_token: 'next' }
    const { transport, forms } = serving([() => Response.json(fresh)])
    const kept: OidcTokens[] = []
    const credentials = createOidcCredentials(
      {
        idToken: token(30),
        accessToken: '',
        refreshToken: 'refresh',
        clientId: 'bindle',
        tokenUrl: 'https://id.test/token',
      },
      (tokens) => void kept.push(tokens),
    )
    const ask = { transport, signal: undefined }
    const given = await Promise.all([credentials(ask), credentials(ask), credentials(ask)])
    expect(new Set(given)).toEqual(new Set([`Bearer ${fresh.id_token}`]))
    expect(forms.map((form) => form.get('refresh_token'))).toEqual(['refresh'])
    expect(kept).toMatchObject([{ refreshToken: 'next', clientId: 'bindle' }])
  })
})
