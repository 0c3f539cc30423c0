import { mkdirSync, symlinkSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  createDockerKeychain,
  createPodmanKeychain,
} from '../../src/node/credentials/docker-keychain.ts'
import { ask, CONFIG, refusal } from './asking.ts'
import { base64, createMachine } from './machine.ts'

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
    ['a list', '[]', 'it is not a JSON object'],
    ['auths that are a list', '{"auths":[]}', '"auths" is not an object'],
    [
      'an entry that is a text',
      '{"auths":{"ghcr.io":"c2VjcmV0OnB3"}}',
      'the login for "ghcr.io" is not an object',
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
      '"auth" of the login for "ghcr.io" is not a string',
    ],
    [
      'a password alone',
      '{"auths":{"ghcr.io":{"password":"secret"}}}',
      'has a password and no username',
    ],
    ['a helper that is no text', '{"credHelpers":{"ghcr.io":{}}}', '"credHelpers" has no helper'],
    ['a store that is no text', '{"credsStore":true}', '"credsStore" is not a helper'],
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

describe('null in config.json', () => {
  const login = { 'ghcr.io': { auth: base64('ann:pw') } }
  it.each([
    ['a helper of another registry', { credHelpers: { other: null }, auths: login }],
    ['a helper of the same registry', { credHelpers: { 'ghcr.io': null }, auths: login }],
    ['all helpers', { credHelpers: null, credsStore: null, auths: login }],
    ['the login of another registry', { auths: { other: null, ...login } }],
    ['the login of a namespace elsewhere', { auths: { 'ghcr.io/else': null, ...login } }],
  ])('for %s is passed over', async (_, content) => {
    const machine = createMachine()
    machine.write(CONFIG, content)
    expect(await ask(machine, 'ghcr.io')).toEqual({ username: 'ann', password: 'pw' })
  })

  it('as the helper of a registry means "auths" and not "credsStore", as in Docker', async () => {
    const machine = createMachine()
    machine.helper('store', 'echo must not run; exit 1')
    machine.write(CONFIG, { credHelpers: { 'ghcr.io': null }, credsStore: 'store', auths: login })
    expect(await ask(machine, 'ghcr.io')).toEqual({ username: 'ann', password: 'pw' })
  })

  it('as a login means that there is none', async () => {
    const machine = createMachine()
    machine.write(CONFIG, { auths: { 'ghcr.io': null } })
    expect(await ask(machine, 'ghcr.io')).toBeUndefined()
  })
})

describe('DOCKER_AUTH_CONFIG', () => {
  const auths = (user: string): string =>
    JSON.stringify({ auths: { 'ghcr.io': { auth: base64(`${user}:x`) } } })

  it('counts before config.json, which has the logins of other registries', async () => {
    const machine = createMachine()
    machine.write(CONFIG, {
      auths: { 'ghcr.io': { auth: base64('file:x') }, 'quay.io': { auth: base64('file:x') } },
    })
    machine.env['DOCKER_AUTH_CONFIG'] = auths('variable')
    expect(await ask(machine, 'ghcr.io')).toMatchObject({ username: 'variable' })
    expect(await ask(machine, 'quay.io')).toMatchObject({ username: 'file' })
  })

  it('is read anew each time, and empty means unset', async () => {
    const machine = createMachine()
    const keychain = createDockerKeychain(machine.options)
    const scope = { registry: 'ghcr.io', repository: 'a', actions: ['pull'] } as const
    for (const [text, user] of [
      ['', undefined],
      [' \n', undefined],
      [auths('ann'), 'ann'],
      [auths('bob'), 'bob'],
    ] as const) {
      machine.env['DOCKER_AUTH_CONFIG'] = text
      expect(await keychain(scope)).toEqual(user && { username: user, password: 'x' })
    }
  })

  it('may name helpers', async () => {
    const machine = createMachine()
    machine.helper('mine', `echo '{"Username":"ann","Secret":"pw"}'`)
    machine.env['DOCKER_AUTH_CONFIG'] = '{"credHelpers":{"ghcr.io":"mine","quay.io":null}}'
    expect(await ask(machine, 'ghcr.io')).toEqual({ username: 'ann', password: 'pw' })
    expect(await ask(machine, 'quay.io')).toBeUndefined()
  })

  it.each([
    ['no JSON', '{"auths": {"ghcr.io": {"auth": "c2VjcmV0'],
    ['a text', '"c2VjcmV0OnNlY3JldA=="'],
    ['a list', '["secret"]'],
    ['logins that are none', '{"auths":{"ghcr.io":"c2VjcmV0OnB3"}}'],
    ['bad base64', '{"auths":{"ghcr.io":{"auth":"c2Vj*mV0"}}}'],
    ['a helper that is not there', '{"credHelpers":{"ghcr.io":"gone"}}'],
  ])('with %s is an error that names the variable and nothing in it', async (_, text) => {
    const machine = createMachine()
    machine.write(CONFIG, { auths: { 'ghcr.io': { auth: base64('ann:pw') } } })
    machine.env['DOCKER_AUTH_CONFIG'] = text
    const error = await refusal(ask(machine, 'ghcr.io'))
    expect(error).toMatchObject({ code: 'ERR_CREDENTIALS_INVALID' })
    expect(error.message).toContain('DOCKER_AUTH_CONFIG')
    expect(error.message).not.toContain('registry login')
    expect(JSON.stringify([error, error.message, String(error.cause)])).not.toMatch(/secret|c2Vj/)
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
