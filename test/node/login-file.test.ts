import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, lstatSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createLoginFile } from '../../src/node/credentials/login-file.ts'
import { base64, createMachine } from './machine.ts'

const PATH = '.config/fermyon/registry-auth.json'
const scopeOf = (registry: string) => ({
  registry,
  repository: 'team/app',
  actions: ['pull'] as const,
})

describe("Spin's login file", () => {
  it.each([
    ['linux', {}, PATH],
    ['linux', { XDG_CONFIG_HOME: 'relative' }, PATH],
    ['darwin', {}, 'Library/Application Support/fermyon/registry-auth.json'],
    ['win32', {}, 'AppData/Roaming/fermyon/registry-auth.json'],
  ])('stands on %s with %j at %s', (platform, env, path) => {
    const machine = createMachine(platform)
    expect(createLoginFile({ ...machine.options, env: { ...machine.env, ...env } }).path).toBe(
      machine.path(path),
    )
  })

  it('follows XDG_CONFIG_HOME', () => {
    const machine = createMachine()
    machine.env['XDG_CONFIG_HOME'] = machine.path('settings')
    expect(createLoginFile(machine.options).path).toBe(
      machine.path('settings/fermyon/registry-auth.json'),
    )
  })

  it('is written as Spin writes it, for nobody else to read, and read back', async () => {
    const machine = createMachine()
    const file = createLoginFile(machine.options)
    await file.save('ghcr.io', { username: 'ann', password: 'p:w' })
    expect(JSON.parse(readFileSync(file.path, 'utf8'))).toEqual({
      auths: { 'ghcr.io': base64('ann:p:w') },
    })
    expect(statSync(file.path).mode & 0o777).toBe(0o600)
    expect(readdirSync(dirname(file.path))).toEqual(['registry-auth.json'])
    expect(await file.keychain(scopeOf('ghcr.io'))).toEqual({ username: 'ann', password: 'p:w' })
    expect(await file.keychain(scopeOf('ghcr.io:444'))).toBeUndefined()
  })

  it('keeps other logins and members, and narrows the rights of what it finds', async () => {
    const machine = createMachine()
    machine.write(PATH, { later: 1, auths: { 'quay.io': base64('q:x') } })
    const file = createLoginFile(machine.options)
    await file.save('localhost:5000', { username: 'ann', password: '' })
    expect(JSON.parse(readFileSync(file.path, 'utf8'))).toEqual({
      later: 1,
      auths: { 'quay.io': base64('q:x'), 'localhost:5000': base64('ann:') },
    })
    expect(statSync(file.path).mode & 0o777).toBe(0o600)
  })

  it('has Docker Hub under the name that Spin looks up, and reads the older one', async () => {
    const machine = createMachine()
    machine.write(PATH, { auths: { 'docker.io': base64('old:x') } })
    const file = createLoginFile(machine.options)
    expect(await file.keychain(scopeOf('docker.io'))).toMatchObject({ username: 'old' })
    await file.save('docker.io', { username: 'new', password: 'x' })
    expect(JSON.parse(readFileSync(file.path, 'utf8'))).toEqual({
      auths: { 'index.docker.io': base64('new:x') },
    })
    expect(await file.keychain(scopeOf('docker.io'))).toMatchObject({ username: 'new' })
  })

  it('forgets a login', async () => {
    const machine = createMachine()
    const file = createLoginFile(machine.options)
    expect(await file.remove('ghcr.io')).toBe(false)
    await file.save('ghcr.io', { username: 'ann', password: 'pw' })
    await file.save('docker.io', { username: 'ann', password: 'pw' })
    expect(await file.remove('docker.io')).toBe(true)
    expect(await file.remove('docker.io')).toBe(false)
    expect(JSON.parse(readFileSync(file.path, 'utf8'))).toEqual({
      auths: { 'ghcr.io': base64('ann:pw') },
    })
  })

  it('may be a link, and stays one', async () => {
    const machine = createMachine()
    const real = machine.write('dotfiles/logins.json', { auths: {} })
    mkdirSync(dirname(machine.path(PATH)), { recursive: true })
    symlinkSync(real, machine.path(PATH))
    await createLoginFile(machine.options).save('ghcr.io', { username: 'ann', password: 'pw' })
    expect(lstatSync(machine.path(PATH)).isSymbolicLink()).toBe(true)
    expect(readFileSync(real, 'utf8')).toContain('ghcr.io')
  })

  it.each(['{"auths":[]}', '{', '"x"'])('is left as it is when it holds %s', async (content) => {
    const machine = createMachine()
    const path = machine.write(PATH, content)
    const file = createLoginFile(machine.options)
    await expect(file.save('ghcr.io', { username: 'a', password: 'b' })).rejects.toMatchObject({
      code: 'ERR_CREDENTIALS_INVALID',
    })
    await expect(file.keychain(scopeOf('ghcr.io'))).rejects.toMatchObject({
      code: 'ERR_CREDENTIALS_INVALID',
    })
    expect(readFileSync(path, 'utf8')).toBe(content)
  })

  it('can hold any registry name harmlessly', async () => {
    const machine = createMachine()
    const file = createLoginFile(machine.options)
    await file.save('__proto__', { username: 'ann', password: 'pw' })
    expect(await file.keychain(scopeOf('__proto__'))).toMatchObject({ username: 'ann' })
    expect(await file.keychain(scopeOf('constructor'))).toBeUndefined()
  })

  it('takes no user name that would read back as another', async () => {
    const file = createLoginFile(createMachine().options)
    await expect(file.save('ghcr.io', { username: 'a:b', password: 'c' })).rejects.toThrow(
      TypeError,
    )
    await expect(file.save('ghcr.io', { username: '', password: 'c' })).rejects.toThrow(TypeError)
  })
})
