import { readFileSync, statSync } from 'node:fs'
import { expect, it } from 'vitest'
import { formatBase64Url } from '../../src/bytes/base64.ts'
import { encodeUtf8 } from '../../src/bytes/text.ts'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { createSession } from './session.ts'

const tokenUntil = (seconds: number, word: string): string => {
  const claims = { exp: Math.floor(Date.now() / 1000) + seconds, word }
  return `e30.${formatBase64Url(encodeUtf8(JSON.stringify(claims)))}.x`
}

it('logs in by a code, keeps the tokens for that server alone, and renews them', async () => {
  const seen: (string | null)[] = []
  const bindle = createBindleHandler({
    login: async () => ({
      device_code: 'device',
      user_code: 'ABCD-EFGH',
      verification_uri: 'https://id.test/device',
      expires_in: 60,
      interval: 0,
      client_id: 'bindle',
      token_url: 'https://id.test/token',
    }),
    authorize: (request, { action }) => {
      const authorization = request.headers.get('authorization')
      seen.push(authorization)
      return action === 'read' || authorization?.startsWith('Bearer ') === true
    },
  })
  const grants: (string | null)[] = []
  const session = createSession(async (request) => {
    if (new URL(request.url).host !== 'id.test') return bindle.fetch(request)
    const form = new URLSearchParams(await request.text())
    grants.push(form.get('grant_type'))
    return Response.json({
      id_token: tokenUntil(form.has('refresh_token') ? 3600 : 30, form.get('grant_type') ?? ''),
      access_token: 'access',
      refresh_token: 'refresh',
      token_type: 'bearer',
    })
  })
  const at = ['--bindle-server', 'https://bindle.test/v1']
  const login = await session.run('bindle', 'login', ...at)
  expect(login).toMatchObject({ code: 0 })
  expect(login.stderr).toContain('Open https://id.test/device in your browser')
  expect(login.stderr).toContain('ABCD-EFGH')
  const file = session.path('.config/bindle/tokens/https-bindle.test.toml')
  expect(login.stdout).toBe(`Login successful; tokens are in ${file}\n`)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const before = readFileSync(file, 'utf8')

  // It ends in half a minute, so the first use renews it.
  seen.length = 0
  await session.run('bindle', 'yank', 'team/app/1.0.0', ...at)
  expect(seen).toEqual([expect.stringMatching(/^Bearer e30\./)])
  expect(grants).toEqual(['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'])
  expect(readFileSync(file, 'utf8')).not.toBe(before)

  // Another server doesn't see it.
  seen.length = 0
  await session.run('bindle', 'yank', 'team/app/1.0.0', '--bindle-server', 'https://other.test/v1')
  expect(seen).toEqual([null])
})
