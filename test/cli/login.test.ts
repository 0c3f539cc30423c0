import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createZotPersona } from '../../mocks/personas/zot.ts'
import { createBasicAuthorizer } from '../../src/serve/http/basic.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createTokenService } from '../../src/serve/token-service.ts'
import type { FetchLike } from '../../src/types.ts'
import { base64 } from '../node/machine.ts'
import { createSession, interrupted } from './session.ts'

const FILE = '.config/fermyon/registry-auth.json'
const rules = {
  authenticate: (name: string, password: string) =>
    name === 'ann' && password === 'pa:ss' ? name : undefined,
}

describe.each([
  ['passwords', () => createRegistryHandler({ authorize: createBasicAuthorizer(rules) })],
  ['tokens', () => createRegistryHandler(createTokenService(rules))],
])('login to a registry with %s', (_, create) => {
  it('keeps a login that works, from stdin, without its line end', async () => {
    const session = createSession(create().fetch)
    const run = await session.runWith(
      { stdin: 'pa:ss\n' },
      'registry',
      'login',
      'localhost:5000',
      '-u',
      'ann',
      '--password-stdin',
    )
    expect(run).toEqual({
      code: 0,
      stdout: 'Successfully logged in as ann to registry localhost:5000\n',
      stderr: '',
    })
    expect(JSON.parse(readFileSync(session.path(FILE), 'utf8'))).toEqual({
      auths: { 'localhost:5000': base64('ann:pa:ss') },
    })
  })

  it('keeps none that is refused, and says so as Spin does, without the password', async () => {
    const session = createSession(create().fetch)
    const { code, stdout, stderr } = await session.run(
      'registry',
      'login',
      'https://registry.test',
      '-u',
      'ann',
      '-p',
      'hunter2',
    )
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(
      /^error: cannot log in to the registry\n {2}caused by: cannot authenticate as ann to registry registry\.test: /,
    )
    expect(stderr).toMatch(/\n {2}hint: check the user name and the password; .*\n$/)
    expect(stderr).not.toContain('hunter2')
    expect(existsSync(session.path(FILE))).toBe(false)
  })
})

describe('login to a registry that answers everybody', () => {
  const logIn = async (fetch: FetchLike, password: string) => {
    const session = createSession(fetch)
    const run = await session.run(
      'registry',
      'login',
      'localhost:5000',
      '-u',
      'ann',
      '-p',
      password,
    )
    return { ...run, isKept: existsSync(session.path(FILE)) }
  }
  const zot = () =>
    createZotPersona(createRegistryHandler(), { username: 'ann', password: 'pa:ss' }).fetch

  it('keeps a right password where the registry checks logins', async () => {
    expect(await logIn(zot(), 'pa:ss')).toEqual({
      code: 0,
      stdout: 'Successfully logged in as ann to registry localhost:5000\n',
      stderr: '',
      isKept: true,
    })
  })

  it('finds a wrong password where the registry checks logins', async () => {
    const { code, stderr, isKept } = await logIn(zot(), 'hunter2')
    expect({ code, isKept }).toEqual({ code: 1, isKept: false })
    expect(stderr).toContain('hint: check the user name and the password')
    expect(stderr).not.toContain('hunter2')
  })

  it('says that a login was not tried where the registry checks none', async () => {
    expect(await logIn(createRegistryHandler().fetch, 'x')).toEqual({
      code: 0,
      stdout:
        'Stored the login of ann for registry localhost:5000. It was not tested: the registry allows anonymous access, and does not check logins\n',
      stderr: '',
      isKept: true,
    })
  })

  it('sends the made-up login with none of the real one', async () => {
    const sent: string[] = []
    const { fetch } = createRegistryHandler()
    await logIn((request) => {
      const header = request.headers.get('authorization')
      if (header !== null) sent.push(atob(header.replace('Basic ', '')))
      return fetch(request)
    }, 'pa:ss')
    expect(sent[0]).toBe('ann:pa:ss')
    expect(sent).toHaveLength(2)
    expect(sent[1]).not.toMatch(/ann|pa:ss/)
  })

  it('is not sent to where /v2/ leads', async () => {
    const elsewhere: (string | null)[] = []
    const { code, stdout } = await logIn(async (request) => {
      if (new URL(request.url).host === 'localhost:5000')
        return new Response(null, { status: 307, headers: { location: 'https://127.0.0.1:1/' } })
      elsewhere.push(request.headers.get('authorization'))
      return new Response('{}')
    }, 'x')
    expect(code).toBe(0)
    expect(stdout).toContain('It was not tested')
    expect(elsewhere).toEqual([null])
  })
})

describe('login to a registry that does not say how', () => {
  const registry = (status: number) => async (request: Request) =>
    new Response(null, {
      status:
        request.headers.get('authorization') === `Basic ${base64('ann:pa:ss')}` ? 200 : status,
    })

  it.each([401, 403, 404])('after %i sends the login, and keeps one that works', async (status) => {
    for (const [password, code] of [
      ['pa:ss', 0],
      ['wrong', 1],
    ] as const) {
      const session = createSession(registry(status))
      const run = await session.run(
        'registry',
        'login',
        'localhost:5000',
        '-u',
        'ann',
        '-p',
        password,
      )
      expect(run.code).toBe(code)
      expect(existsSync(session.path(FILE))).toBe(code === 0)
    }
  })
})

it.each([
  ['a right password', 'pa:ss', 0],
  ['a wrong password', 'wrong', 1],
])('%s is told by a token service that checks scopes', async (_, password, code) => {
  const asked: string[] = []
  const session = createSession(async (request) => {
    const url = new URL(request.url)
    if (url.pathname === '/token') {
      asked.push(url.search)
      // A scope names something: type, name and actions.
      if (url.searchParams.getAll('scope').some((scope) => !/^[a-z]+:[^:]+:[a-z*,]+$/.test(scope)))
        return Response.json({ details: 'invalid scope' }, { status: 400 })
      return request.headers.get('authorization') === `Basic ${base64('ann:pa:ss')}`
        ? Response.json({ token: 't' })
        : Response.json({ details: 'incorrect username or password' }, { status: 401 })
    }
    if (request.headers.get('authorization') === 'Bearer t') return new Response('{}')
    const challenge = `Bearer realm="${url.origin}/token",service="registry"`
    return new Response(null, { status: 401, headers: { 'www-authenticate': challenge } })
  })
  const run = await session.run('registry', 'login', 'r.test', '-u', 'ann', '-p', password)
  expect(run.code).toBe(code)
  expect(asked).toEqual(['?service=registry'])
})

it.each(['pull', 'tags'])('what is refused to nobody says where to log in: %s', async (command) => {
  const { fetch } = createRegistryHandler({ authorize: createBasicAuthorizer(rules) })
  const { stderr } = await createSession(fetch).run('registry', command, 'localhost:5000/app')
  expect(stderr).toContain('hint: log in with "spindle registry login localhost:5000"; ')
})

it('a registry that cannot be reached keeps no login', async () => {
  const session = createSession(() => Promise.reject(new TypeError('fetch failed')))
  const { code, stderr } = await session.run(
    'registry',
    'login',
    'registry.test',
    '-u',
    'ann',
    '-p',
    'x',
  )
  expect(code).toBe(1)
  expect(stderr).toContain('cannot authenticate as ann to registry registry.test')
  expect(stderr).toContain('hint: use --insecure for a server without HTTPS')
  expect(existsSync(session.path(FILE))).toBe(false)
}, 20_000)

it.each([
  [[], 'https:'],
  [['--insecure'], 'http:'],
])('a login with %j goes over %s', async (flags, protocol) => {
  const asked: string[] = []
  const session = createSession(async (request) => {
    asked.push(new URL(request.url).protocol)
    return new Response('{}')
  })
  await session.run('registry', 'login', ...flags, 'registry.test', '-u', 'ann', '-p', 'x')
  expect(asked[0]).toBe(protocol)
})

it('stops at Ctrl-C with 130', async () => {
  const session = createSession(createRegistryHandler().fetch)
  const { code } = await session.runWith(
    { signal: interrupted() },
    'registry',
    'login',
    'registry.test',
    '-u',
    'ann',
    '-p',
    'x',
  )
  expect(code).toBe(130)
  expect(existsSync(session.path(FILE))).toBe(false)
})

it('logs out, and says when there was nothing to log out of', async () => {
  const session = createSession()
  session.write(FILE, { auths: { 'ghcr.io': base64('ann:x'), 'quay.io': base64('ann:x') } })
  expect(await session.run('registry', 'logout', 'ghcr.io')).toEqual({
    code: 0,
    stdout: 'Successfully logged out of registry ghcr.io\n',
    stderr: '',
  })
  expect(JSON.parse(readFileSync(session.path(FILE), 'utf8'))).toEqual({
    auths: { 'quay.io': base64('ann:x') },
  })
  const again = await session.run('registry', 'logout', 'ghcr.io')
  expect(again).toMatchObject({ code: 1, stdout: '' })
  expect(again.stderr).toContain('there is no login for ghcr.io')
})
