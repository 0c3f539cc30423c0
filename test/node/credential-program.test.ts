import { describe, expect, it } from 'vitest'
import { ask, CONFIG, refusal } from './asking.ts'
import { base64, createMachine } from './machine.ts'

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
