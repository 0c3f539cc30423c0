import { chmodSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { fetchIdentityToken } from '../../src/node/credentials/identity-token.ts'
import { createMachine } from './machine.ts'

describe('the identity token of a CI job', () => {
  it('is what the environment says outright', async () => {
    expect(await fetchIdentityToken({ env: { SIGSTORE_ID_TOKEN: 'a.b.c' } })).toBe('a.b.c')
  })

  it('is asked of GitHub, for the audience', async () => {
    const asked: string[] = []
    const token = await fetchIdentityToken({
      env: {
        ACTIONS_ID_TOKEN_REQUEST_URL: 'https://github.test/token?api=2',
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'secret',
      },
      fetch: async (request) => {
        asked.push(request.url, request.headers.get('authorization') ?? '')
        return Response.json({ value: 'd.e.f' })
      },
    })
    expect([token, ...asked]).toEqual([
      'd.e.f',
      'https://github.test/token?api=2&audience=sigstore',
      'Bearer secret',
    ])
  })

  it('is asked of nobody over plain http, and no failure tells the secret', async () => {
    const env = {
      ACTIONS_ID_TOKEN_REQUEST_URL: 'http://github.test/token?key=hidden',
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'secret',
    }
    await expect(
      fetchIdentityToken({ env, fetch: async () => Response.error() }),
    ).rejects.toMatchObject({ code: 'ERR_CREDENTIALS_INVALID' })
    const secure = { ...env, ACTIONS_ID_TOKEN_REQUEST_URL: 'https://github.test/token?key=hidden' }
    const failure = await fetchIdentityToken({
      env: secure,
      fetch: async () => Response.json({ message: 'no' }, { status: 403 }),
    }).catch((error: Error) => error)
    expect(failure).toMatchObject({ code: 'ERR_UNAUTHORIZED' })
    expect(String(failure)).not.toMatch(/secret|hidden/)
    const unread = await fetchIdentityToken({
      env: secure,
      fetch: async () => new Response('eyJ.hunter22'),
    }).catch((error: Error) => error)
    expect(unread).toMatchObject({ code: 'ERR_CONTENT_INVALID' })
    expect(String(unread)).not.toMatch(/eyJ|hunter22/)
  })

  describe('of Buildkite', () => {
    /** An agent that does what the script says, and who asks it. */
    function agent(script: string): Promise<string> {
      const machine = createMachine()
      machine.write('bin/buildkite-agent', `#!/bin/sh\n${script}\n`)
      chmodSync(machine.path('bin/buildkite-agent'), 0o755)
      const env = { PATH: machine.path('bin'), BUILDKITE_AGENT_ACCESS_TOKEN: 'secret' }
      return fetchIdentityToken({ env, audience: 'me' })
    }

    it('is what its agent prints, for the audience', async () => {
      expect(await agent('echo "$*"')).toBe('oidc request-token --audience me')
    })

    it.each([
      ['prints nothing', ':'],
      ['fails', 'echo a.b.c; exit 1'],
    ])('is missed when its agent %s', async (_, script) => {
      await expect(agent(script)).rejects.toMatchObject({ code: 'ERR_CREDENTIALS_INVALID' })
    })
  })

  it('is missed with a word on how to have one', async () => {
    await expect(fetchIdentityToken({ env: {} })).rejects.toThrow(/SIGSTORE_ID_TOKEN/)
  })
})
