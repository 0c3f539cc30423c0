import { describe, expect, it } from 'vitest'
import { formatBase64Url } from '../../src/bytes/base64.ts'
import { rawDigestOf } from '../../src/bytes/digest.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { type DevicePrompt, requestIdentityToken } from '../../src/trust/keyless/device-flow.ts'

const ISSUER = 'https://oauth2.test/auth'

/** An issuer that gives these answers to the questions for the token, and checks the proof key. */
function issuer(
  answers: readonly (string | { id_token: string })[],
  discovery: object = {},
  device: object = {},
): (request: Request) => Promise<Response> {
  let challenge: string | null = null
  let asked = 0
  return async (request) => {
    const { pathname } = new URL(request.url)
    if (pathname.endsWith('openid-configuration')) {
      return Response.json({
        issuer: ISSUER,
        device_authorization_endpoint: 'https://oauth2.test/device',
        token_endpoint: 'https://oauth2.test/token',
        ...discovery,
      })
    }
    const form = new URLSearchParams(await request.text())
    if (pathname === '/device') {
      challenge = form.get('code_challenge')
      return Response.json({
        device_code: 'd',
        user_code: 'ABCD-EFGH',
        verification_uri: 'https://oauth2.test/go',
        expires_in: 60,
        interval: 0,
        ...device,
      })
    }
    if (
      formatBase64Url(await rawDigestOf(encodeUtf8(form.get('code_verifier') ?? ''))) !== challenge
    )
      return Response.json({ error: 'invalid_grant' }, { status: 400 })
    const answer = answers[asked++]!
    return typeof answer === 'string'
      ? Response.json({ error: answer }, { status: 400 })
      : Response.json(answer)
  }
}

const skip = async (): Promise<void> => {}

describe('a login on another device', () => {
  it('shows the code, waits, and gives the token', async () => {
    const prompts: DevicePrompt[] = []
    const token = await requestIdentityToken({
      issuer: ISSUER,
      wait: skip,
      prompt: (shown) => prompts.push(shown),
      fetch: issuer(['authorization_pending', 'authorization_pending', { id_token: 'a.b.c' }]),
    })
    expect(token).toBe('a.b.c')
    expect(prompts).toMatchObject([
      { userCode: 'ABCD-EFGH', verificationUri: 'https://oauth2.test/go' },
    ])
  })

  it.each([
    ['refused', ['access_denied'], {}, 'ERR_CREDENTIALS_INVALID'],
    ['too late', ['expired_token'], {}, 'ERR_TIMEOUT'],
    ['for another issuer', [], { issuer: 'https://other.test' }, 'ERR_CONTENT_INVALID'],
    ['over plain http', [], { token_endpoint: 'http://oauth2.test/token' }, 'ERR_CONTENT_INVALID'],
  ])('%s rejects', async (_, answers, discovery, code) => {
    await expect(
      requestIdentityToken({
        issuer: ISSUER,
        wait: skip,
        prompt: () => {},
        fetch: issuer(answers, discovery),
      }),
    ).rejects.toMatchObject({ code })
  })

  it.each([
    ['verification_uri', 'http://oauth2.test/go'],
    ['verification_uri', '\u001b]0;'],
    ['verification_uri_complete', 'javascript:alert(1)'],
  ])('shows nobody a %s that is %s', async (name, value) => {
    const prompts: DevicePrompt[] = []
    await expect(
      requestIdentityToken({
        issuer: ISSUER,
        prompt: (shown) => prompts.push(shown),
        fetch: issuer([{ id_token: 'a.b.c' }], {}, { [name]: value }),
      }),
    ).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
    expect(prompts).toEqual([])
  })

  it.each([
    ['access_denied', 'the login was refused: start again and allow it'],
    [
      'invalid_client',
      'the issuer rejected the login (invalid_client): check its address and the client ID',
    ],
  ])('says what to do about %s', async (problem, message) => {
    await expect(
      requestIdentityToken({
        issuer: ISSUER,
        wait: skip,
        prompt: () => {},
        fetch: issuer([problem]),
      }),
    ).rejects.toMatchObject({ code: 'ERR_CREDENTIALS_INVALID', message })
  })

  it('quotes no answer that may hold a token', async () => {
    const answers = issuer(['authorization_pending'])
    const failure = requestIdentityToken({
      issuer: ISSUER,
      wait: skip,
      prompt: () => {},
      fetch: async (request) =>
        request.url.endsWith('/token') ? new Response('id_token=hunter22') : answers(request),
    })
    await expect(failure).rejects.toMatchObject({ code: 'ERR_CONTENT_INVALID' })
    await expect(failure).rejects.not.toThrow(/hunter22|id_token/)
  })

  it('can be given up', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const login = requestIdentityToken({
      issuer: ISSUER,
      signal: controller.signal,
      prompt: () => controller.abort(reason),
      fetch: issuer(['authorization_pending']),
    })
    await expect(login).rejects.toBe(reason)
  })
})
