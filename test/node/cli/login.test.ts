import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createBasicAuthorizer } from '../../../src/serve/basic.ts'
import { createRegistryHandler } from '../../../src/serve/registry/handler.ts'
import { createTokenService } from '../../../src/serve/token-service.ts'
import { base64 } from '../machine.ts'
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
  expect(stderr).toContain('hint: a server without https needs --insecure')
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
