import { mkdirSync, symlinkSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createDockerKeychain, createPodmanKeychain } from '../../src/node/docker-keychain.ts'
import { createNodeKeychain } from '../../src/node/keychain.ts'
import type { Credentials } from '../../src/types.ts'
import { base64, createMachine, type Machine } from './machine.ts'

const CONFIG = '.docker/config.json'

async function ask(
  machine: Machine,
  registry: string,
  repository = 'team/app',
): Promise<Credentials | undefined> {
  return createDockerKeychain(machine.options)({ registry, repository, actions: ['pull'] })
}

async function refusal(work: Promise<unknown>): Promise<Error> {
  try {
    await work
  } catch (error) {
    return error as Error
  }
  throw new Error('it did not reject')
}

describe('auths in config.json', () => {
  const login = { username: 'ann', password: 'p:w' }
  it.each([
    ['ghcr.io', 'ghcr.io'],
    ['https://ghcr.io', 'ghcr.io'],
    ['http://ghcr.io/', 'ghcr.io'],
    ['https://ghcr.io/v1/', 'ghcr.io'],
    ['https://ghcr.io/v2', 'ghcr.io'],
    ['GHCR.io', 'ghcr.io'],
    ['localhost:5000', 'localhost:5000'],
    ['https://index.docker.io/v1/', 'docker.io'],
    ['docker.io', 'docker.io'],
    ['registry-1.docker.io', 'docker.io'],
    ['index.docker.io', 'registry-1.docker.io'],
    ['ghcr.io/team', 'ghcr.io'],
    ['ghcr.io/team/app', 'ghcr.io'],
  ])('are found under the key %s for %s', async (key, registry) => {
    const machine = createMachine()
    machine.write(CONFIG, { auths: { [key]: { auth: base64('ann:p:w') } } })
    expect(await ask(machine, registry)).toEqual(login)
  })

  it.each([
    ['ghcr.io.evil.example'],
    ['ghcr.io:444'],
    ['ghcr.io/tea'],
    ['ghcr.io/team/app2'],
    ['ghcr.io/team/app/v1'],
    [''],
  ])('of the key %j are not sent to ghcr.io/team/app', async (key) => {
    const machine = createMachine()
    machine.write(CONFIG, { auths: { [key]: { auth: base64('ann:pw') } } })
    expect(await ask(machine, 'ghcr.io')).toBeUndefined()
  })

  it('are those of the longest key that fits', async () => {
    const machine = createMachine()
    const auth = (user: string): object => ({ auth: base64(`${user}:x`) })
    machine.write(CONFIG, {
      auths: {
        'ghcr.io/team': auth('team'),
        'ghcr.io': auth('host'),
        'ghcr.io/team/app': auth('app'),
      },
    })
    expect(await ask(machine, 'ghcr.io', 'team/app')).toMatchObject({ username: 'app' })
    expect(await ask(machine, 'ghcr.io', 'team/other')).toMatchObject({ username: 'team' })
    expect(await ask(machine, 'ghcr.io', 'else')).toMatchObject({ username: 'host' })
  })

  it.each([
    ['identity tokens', { auth: base64('ann:'), identitytoken: 'idt' }, { refreshToken: 'idt' }],
    ['registry tokens', { registrytoken: 'rt' }, { token: 'rt' }],
    [
      'names and passwords apart',
      { username: 'ann', password: 'pw' },
      { username: 'ann', password: 'pw' },
    ],
    ['the name <token>', { auth: base64('<token>:idt') }, { refreshToken: 'idt' }],
    [
      'passwords padded with NUL',
      { auth: base64('ann:pw\0\0') },
      { username: 'ann', password: 'pw' },
    ],
    ['passwords beyond ASCII', { auth: base64('ann:päss') }, { username: 'ann', password: 'päss' }],
    [
      'base64 without padding',
      { auth: base64('ann:pw').replace(/=+$/, '') },
      { username: 'ann', password: 'pw' },
    ],
    ['nothing, as credsStore leaves it', {}, undefined],
  ])('may hold %s', async (_, entry, expected) => {
    const machine = createMachine()
    machine.write(CONFIG, { auths: { 'ghcr.io': entry } })
    expect(await ask(machine, 'ghcr.io')).toEqual(expected)
  })

  it('are none when there is no file, or an empty one', async () => {
    const machine = createMachine()
    expect(await ask(machine, 'ghcr.io')).toBeUndefined()
    machine.write(CONFIG, '')
    expect(await ask(machine, 'ghcr.io')).toBeUndefined()
    machine.write(CONFIG, { auths: null, psFormat: 'x' })
    expect(await ask(machine, 'ghcr.io')).toBeUndefined()
  })

  it('stand in $DOCKER_CONFIG when that is set', async () => {
    const machine = createMachine()
    machine.write(CONFIG, { auths: { 'ghcr.io': { auth: base64('wrong:x') } } })
    machine.write('ci/config.json', { auths: { 'ghcr.io': { auth: base64('ann:pw') } } })
    machine.env['DOCKER_CONFIG'] = machine.path('ci')
    expect(await ask(machine, 'ghcr.io')).toMatchObject({ username: 'ann' })
  })

  it('may have the names of prototype members', async () => {
    const machine = createMachine()
    machine.write(
      CONFIG,
      '{"auths":{"__proto__":{"auth":"eDp5"},"constructor":{}},"__proto__":{"credsStore":"evil"}}',
    )
    expect(await ask(machine, 'ghcr.io')).toBeUndefined()
    expect(await ask(machine, '__proto__')).toEqual({ username: 'x', password: 'y' })
  })

  it.each([
    ['no JSON', '{"auths": {"ghcr.io": {"auth": "c2VjcmV0', 'it is not JSON'],
    ['no UTF-8', new Uint8Array([0x7b, 0xff, 0x7d]), 'it is not UTF-8'],
    ['a list', '[]', 'it is no JSON object'],
    ['auths that are a list', '{"auths":[]}', '"auths" is no object'],
    [
      'an entry that is a text',
      '{"auths":{"ghcr.io":"c2VjcmV0OnB3"}}',
      'the login for "ghcr.io" is no object',
    ],
    ['bad base64', '{"auths":{"ghcr.io":{"auth":"c2Vj*mV0"}}}', 'not the base64 of user:password'],
    [
      'base64 without a colon',
      '{"auths":{"ghcr.io":{"auth":"c2VjcmV0"}}}',
      'not the base64 of user:password',
    ],
    [
      'a number for auth',
      '{"auths":{"ghcr.io":{"auth":7}}}',
      '"auth" of the login for "ghcr.io" is no text',
    ],
    [
      'a password alone',
      '{"auths":{"ghcr.io":{"password":"secret"}}}',
      'has a password and no username',
    ],
    ['a helper that is no text', '{"credHelpers":{"ghcr.io":{}}}', '"credHelpers" has no helper'],
    ['a store that is no text', '{"credsStore":true}', '"credsStore" is no helper'],
  ])(
    'that hold %s are an error which names the file and not the secret',
    async (_, content, message) => {
      const machine = createMachine()
      const path = machine.write(CONFIG, content)
      const error = await refusal(ask(machine, 'ghcr.io'))
      expect(error).toMatchObject({ code: 'ERR_CREDENTIALS_INVALID' })
      expect(error.message).toContain(path)
      expect(error.message).toContain(message)
      expect(error.message).toContain('spindle registry login')
      expect(JSON.stringify([error, error.message, String(error.cause)])).not.toMatch(/secret|c2Vj/)
    },
  )

  it('that are a folder, or longer than allowed, are an error', async () => {
    const folder = createMachine()
    mkdirSync(folder.path(CONFIG), { recursive: true })
    expect(await refusal(ask(folder, 'ghcr.io'))).toMatchObject({ code: 'ERR_CREDENTIALS_INVALID' })
    const long = createMachine()
    long.write(CONFIG, ' '.repeat(4 * 1024 * 1024 + 1))
    expect((await refusal(ask(long, 'ghcr.io'))).message).toContain('longer than')
  })

  it("that can't be opened are an error", async () => {
    const machine = createMachine()
    mkdirSync(machine.path('.docker'))
    symlinkSync('config.json', machine.path(CONFIG))
    expect(await refusal(ask(machine, 'ghcr.io'))).toMatchObject({
      code: 'ERR_CREDENTIALS_INVALID',
    })
  })
})

describe('credential helpers', () => {
  const answer = (user: string, secret: string): string =>
    `[ "$1" = get ] || exit 9\nread -r server\nprintf '{"ServerURL":"%s","Username":"${user}","Secret":"${secret}:%s"}' "$server" "$server"`

  it('are given the server on stdin', async () => {
    const machine = createMachine()
    machine.helper('mine', answer('ann', 'pw'))
    machine.write(CONFIG, { credHelpers: { 'ghcr.io': 'mine' } })
    expect(await ask(machine, 'ghcr.io')).toEqual({ username: 'ann', password: 'pw:ghcr.io' })
  })

  it('know Docker Hub by its old address', async () => {
    const machine = createMachine()
    machine.helper('mine', answer('ann', 'pw'))
    machine.write(CONFIG, { credsStore: 'mine' })
    expect(await ask(machine, 'docker.io')).toEqual({
      username: 'ann',
      password: 'pw:https://index.docker.io/v1/',
    })
  })

  it('of one registry go before the store for all, and both before auths', async () => {
    const machine = createMachine()
    machine.helper('one', answer('one', 'x'))
    machine.helper('all', answer('all', 'x'))
    machine.write(CONFIG, {
      auths: { 'ghcr.io': { auth: base64('file:x') }, 'quay.io': { auth: base64('file:x') } },
      credHelpers: { 'ghcr.io': 'one' },
      credsStore: 'all',
    })
    expect(await ask(machine, 'ghcr.io')).toMatchObject({ username: 'one' })
    expect(await ask(machine, 'quay.io')).toMatchObject({ username: 'all' })
  })

  it('that have identity tokens say so by the name <token>', async () => {
    const machine = createMachine()
    machine.helper('mine', answer('<token>', 'idt'))
    machine.write(CONFIG, { credHelpers: { 'my.azurecr.io': 'mine' } })
    expect(await ask(machine, 'my.azurecr.io')).toEqual({ refreshToken: 'idt:my.azurecr.io' })
  })

  it('that have no login are followed by auths, then by nothing', async () => {
    const machine = createMachine()
    machine.helper('mine', 'echo "credentials not found in native keychain"; exit 1')
    machine.write(CONFIG, {
      credsStore: 'mine',
      auths: { 'ghcr.io': { auth: base64('ann:pw') }, 'quay.io': {} },
    })
    expect(await ask(machine, 'ghcr.io')).toMatchObject({ username: 'ann' })
    expect(await ask(machine, 'quay.io')).toBeUndefined()
  })

  it.each([
    [
      'fail',
      'echo "the daemon is asleep"; exit 3',
      'failed with exit code 3 for ghcr.io: the daemon is asleep',
    ],
    [
      'fail with the secret in hand',
      `echo '{"Secret":"hunter2"}'; exit 1`,
      'failed with exit code 1',
    ],
    ['say no JSON', 'echo hunter2', 'something else than a login'],
    ['say no login', `echo '{"Username":"ann"}'`, 'something else than a login'],
    [
      'say a secret for nobody',
      `echo '{"Username":"","Secret":"hunter2"}'`,
      'something else than a login',
    ],
    [
      'never end writing',
      'while :; do echo hunter2hunter2hunter2hunter2hunter2hunter2hunter2; done',
      'writes more than',
    ],
  ])(
    'that %s are an error which names them and not what they said in confidence',
    async (_, script, message) => {
      const machine = createMachine()
      machine.helper('mine', script)
      const path = machine.write(CONFIG, { credsStore: 'mine' })
      const error = await refusal(ask(machine, 'ghcr.io'))
      expect(error).toMatchObject({ code: 'ERR_CREDENTIALS_INVALID' })
      expect(error.message).toContain('docker-credential-mine')
      expect(error.message).toContain(path)
      expect(error.message).toContain(message)
      expect(error.message).not.toContain('hunter2')
    },
  )

  it("that aren't there are an error", async () => {
    const machine = createMachine()
    machine.write(CONFIG, { credsStore: 'desktop-of-another' })
    expect((await refusal(ask(machine, 'ghcr.io'))).message).toContain(
      'docker-credential-desktop-of-another',
    )
    expect((await refusal(ask(machine, 'ghcr.io'))).message).toContain('is not on PATH')
  })

  it.each(['../evil', '/bin/sh', 'a b', '-x', 'x;touch y', 'x\ny'])(
    'may not be called %j',
    async (name) => {
      const machine = createMachine()
      machine.write(CONFIG, { credsStore: name })
      expect((await refusal(ask(machine, 'ghcr.io'))).message).toContain('is no name')
    },
  )

  it('are run without a shell', async () => {
    const machine = createMachine()
    machine.helper('mine', answer('ann', 'pw'))
    machine.write(CONFIG, { credsStore: 'mine' })
    const registry = '$(touch pwned);`id`'
    expect(await ask(machine, registry)).toMatchObject({ password: `pw:${registry}` })
  })
})

describe("podman's auth.json", () => {
  const scope = { registry: 'quay.io', repository: 'team/app', actions: ['pull'] } as const
  const file = (user: string): object => ({
    auths: { 'quay.io/team': { auth: base64(`${user}:x`) } },
  })

  it.each([
    ['run/containers/auth.json', 'linux'],
    ['.config/containers/auth.json', 'linux'],
    ['.config/containers/auth.json', 'darwin'],
  ])('is found at %s on %s', async (path, platform) => {
    const machine = createMachine(platform)
    machine.write(path, file('ann'))
    expect(await createPodmanKeychain(machine.options)(scope)).toEqual({
      username: 'ann',
      password: 'x',
    })
  })

  it('is found where REGISTRY_AUTH_FILE says, and nowhere else then', async () => {
    const machine = createMachine()
    machine.write('.config/containers/auth.json', file('wrong'))
    machine.env['REGISTRY_AUTH_FILE'] = machine.write('mine.json', file('ann'))
    expect(await createPodmanKeychain(machine.options)(scope)).toMatchObject({ username: 'ann' })
    machine.env['REGISTRY_AUTH_FILE'] = machine.path('gone.json')
    const error = await refusal(Promise.resolve(createPodmanKeychain(machine.options)(scope)))
    expect(error).toMatchObject({ code: 'ERR_CREDENTIALS_INVALID' })
    expect(error.message).toContain('gone.json')
  })
})

describe('all keychains of a machine', () => {
  it("are asked in order: given ones, Spin's, Docker's, podman's", async () => {
    const machine = createMachine()
    const scope = { registry: 'quay.io', repository: 'a', actions: ['push'] } as const
    const keychain = createNodeKeychain(machine.options)
    expect(await keychain(scope)).toBeUndefined()
    machine.write('.config/containers/auth.json', {
      auths: { 'quay.io': { auth: base64('podman:x') } },
    })
    expect(await keychain(scope)).toMatchObject({ username: 'podman' })
    machine.write(CONFIG, { auths: { 'quay.io': { auth: base64('docker:x') } } })
    expect(await keychain(scope)).toMatchObject({ username: 'docker' })
    machine.write('.config/fermyon/registry-auth.json', { auths: { 'quay.io': base64('spin:x') } })
    expect(await keychain(scope)).toMatchObject({ username: 'spin' })
    const given = createNodeKeychain({ ...machine.options, credentials: () => ({ token: 't' }) })
    expect(await given(scope)).toEqual({ token: 't' })
  })

  it('stop at the first that is broken: a later one is not used instead', async () => {
    const machine = createMachine()
    machine.write('.config/fermyon/registry-auth.json', '{"auths":{"quay.io":"*"}}')
    machine.write(CONFIG, { auths: { 'quay.io': { auth: base64('docker:x') } } })
    const asked = createNodeKeychain(machine.options)({
      registry: 'quay.io',
      repository: 'a',
      actions: [],
    })
    expect(await refusal(Promise.resolve(asked))).toMatchObject({ code: 'ERR_CREDENTIALS_INVALID' })
  })
})
