import { describe, expect, it } from 'vitest'
import { createNodeKeychain } from '../../src/node/credentials/keychain.ts'
import { CONFIG, refusal } from './asking.ts'
import { base64, createMachine } from './machine.ts'

describe('all keychains of a machine', () => {
  it("are asked in order: given ones, the variable's, Spin's, Docker's, podman's", async () => {
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
    machine.env['DOCKER_AUTH_CONFIG'] = `{"auths":{"quay.io":{"auth":"${base64('env:x')}"}}}`
    expect(await keychain(scope)).toMatchObject({ username: 'env' })
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
