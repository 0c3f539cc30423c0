import { cpSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import type { BindleHandlerOptions } from '../../src/serve/bindle/handler.ts'
import { authorizeBindleBasic } from '../../src/serve/bindle/authorize.ts'
import { parseKeyring } from '../../src/bindle/keyring.ts'
import { hello, OLD_MANIFEST } from './hello.ts'
import { createSession, type Run, type Session } from './session.ts'

const SERVER = 'http://localhost:8000/v1'
const REGISTRY = 'localhost:5000'

interface World extends Session {
  readonly requests: string[]
}

/** A user's machine, with a Bindle server and a registry within its reach. */
function worldOf(options: BindleHandlerOptions = {}): World {
  const bindle = createBindleHandler(options)
  const registry = createRegistryHandler()
  const requests: string[] = []
  const session = createSession((request) => {
    const { host, pathname } = new URL(request.url)
    requests.push(`${request.method} ${pathname}`)
    return (host === REGISTRY ? registry : bindle).fetch(request)
  })
  session.env['BINDLE_URL'] = SERVER
  cpSync(hello, session.path('app'), { recursive: true })
  session.write('app/spin.toml', OLD_MANIFEST)
  return { ...session, requests }
}

const json = (run: Run): Record<string, unknown> =>
  JSON.parse(run.stdout) as Record<string, unknown>

describe('bindle push', () => {
  it('pushes with the words of Spin, and once more for nothing', async () => {
    const world = worldOf()
    const args = ['bindle', 'push', '--file', 'app/spin.toml']
    const first = await world.run(...args)
    expect(first).toMatchObject({ code: 0, stdout: 'pushed: hello/1.0.0\n' })
    expect(first.stderr).toContain('7 blobs')
    const again = await world.run(...args)
    expect(again).toMatchObject({ code: 0, stdout: 'pushed: hello/1.0.0\n' })
    expect(again.stderr).toContain('0 blobs (0 B) sent, 7 already there')
  })

  it('adds build metadata, and says so to programs', async () => {
    const world = worldOf()
    const run = await world.run('bindle', 'push', '-f', 'app', '--buildinfo', 'q1', '--json')
    expect(json(run)).toMatchObject({ id: 'hello/1.0.0+q1', server: `${SERVER}/`, sent: 7 })
    expect(await world.run('bindle', 'push', '-f', 'app', '--buildinfo', 'a b')).toMatchObject({
      code: 2,
    })
  })

  it('keeps the standalone bindle where it is told to', async () => {
    const world = worldOf()
    await world.run('bindle', 'push', '-f', 'app', '-d', 'staging')
    const [folder = ''] = readdirSync(world.path('staging'))
    expect(readdirSync(world.path(`staging/${folder}`)).sort()).toEqual(['invoice.toml', 'parcels'])
  })

  it('signs for a server that wants it, once there is a key', async () => {
    const owner = worldOf()
    await owner.run('bindle', 'keys', 'create', 'Ann <ann@example.com>')
    const keyring = parseKeyring((await owner.run('bindle', 'keys', 'print')).stdout)
    const world = worldOf({ keyring })
    const unsigned = await world.run('bindle', 'push', '-f', 'app')
    expect(unsigned.code).toBe(1)
    expect(unsigned.stderr).toContain('spindle bindle keys create')
    const secrets = owner.path('.config/bindle/secret_keys.toml')
    expect(statSync(secrets).mode & 0o777).toBe(0o600)
    const args = ['bindle', 'push', '-f', 'app', '--secrets-file', secrets]
    expect(await world.run(...args, '--no-sign')).toMatchObject({ code: 1 })
    expect(await world.run(...args, '--label', 'Bob')).toMatchObject({ code: 1 })
    expect(await world.run(...args)).toMatchObject({ code: 0 })
    expect((await world.run('bindle', 'info', 'hello/1.0.0')).stdout).toContain('role = "creator"')
  })

  it('logs in by flags, by Spin’s variables and by those of the bindle command', async () => {
    const authorize = authorizeBindleBasic((user, password) => user === 'ann' && password === 's3')
    const args = ['bindle', 'push', '-f', 'app']
    const refused = await worldOf({ authorize }).run(...args)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('BINDLE_USERNAME')
    const flags = ['--bindle-username', 'ann', '--bindle-password', 's3']
    expect(await worldOf({ authorize }).run(...args, ...flags)).toMatchObject({ code: 0 })
    for (const [user, password] of [
      ['BINDLE_USERNAME', 'BINDLE_PASSWORD'],
      ['BINDLE_HTTP_USER', 'BINDLE_HTTP_PASSWORD'],
    ] as const) {
      const world = worldOf({ authorize })
      world.env[user] = 'ann'
      expect(await world.run(...args)).toMatchObject({ code: 2 })
      world.env[password] = 's3'
      expect(await world.run(...args)).toMatchObject({ code: 0 })
    }
  })
})

describe('bindle prepare', () => {
  it('says the id and the command as Spin did; what it made can be pushed by it', async () => {
    const world = worldOf()
    const run = await world.run('bindle', 'prepare', '-f', 'app', '--staging-dir', 'staging')
    const staging = world.path('staging')
    expect(run.stdout).toBe(
      `id:      hello/1.0.0\ncommand: bindle push -p ${staging} hello/1.0.0\n`,
    )
    expect(world.requests).toEqual([])
    // Over what is there, as Spin.
    expect(await world.run('bindle', 'prepare', '-f', 'app', '-d', 'staging')).toMatchObject({
      code: 0,
    })
    const pushed = await world.run('bindle', 'push', '-p', staging, 'hello/1.0.0')
    expect(pushed.stdout).toBe('pushed: hello/1.0.0\n')
    expect(await world.run('bindle', 'push', '-p', staging, 'other/1.0.0')).toMatchObject({
      code: 1,
    })
  })

  it('makes one file of it, which is pushed as well', async () => {
    const world = worldOf()
    await world.run('bindle', 'prepare', '-f', 'app', '-d', 'staging', '--tarball')
    const names = readdirSync(world.path('staging'))
    expect(names).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.tar\.gz$/)])
    for (const path of ['staging', `staging/${names[0]}`]) {
      const run = await world.run('bindle', 'push', '-p', path, 'hello/1.0.0')
      expect(run).toMatchObject({ code: 0, stdout: 'pushed: hello/1.0.0\n' })
    }
  })
})

describe('what a server has', () => {
  let world: World
  beforeEach(async () => {
    world = worldOf()
    for (const info of ['a1', 'a2'])
      await world.run('bindle', 'push', '-f', 'app', '--buildinfo', info)
    world.requests.length = 0
  })

  it('is pulled into a folder, every byte as it was', async () => {
    const run = await world.run('bindle', 'pull', 'hello/1.0.0+a1', '-o', 'out')
    expect(run).toMatchObject({ code: 0, stdout: 'pulled: hello/1.0.0+a1\n' })
    expect(readFileSync(world.path('out/hello.wasm'))).toEqual(
      readFileSync(join(hello, 'hello.wasm')),
    )
    expect(existsSync(world.path('out/assets/hello/static/style.css'))).toBe(true)
    expect(await world.run('bindle', 'pull', 'hello/1.0.0+a1', '-o', 'out')).toMatchObject({
      code: 1,
    })
    expect(await world.run('bindle', 'pull', 'hello/1.0.0+a1')).toMatchObject({ code: 2 })
  })

  it('is exported as the standalone bindle that it was', async () => {
    await world.run('bindle', 'prepare', '-f', 'app', '--buildinfo', 'a1', '-d', 'here')
    await world.run('bindle', 'pull', 'hello/1.0.0+a1', '--export', 'there')
    const [folder = ''] = readdirSync(world.path('here'))
    const listOf = (place: string): string[] =>
      readdirSync(world.path(`${place}/${folder}/parcels`)).sort()
    expect(listOf('there')).toEqual(listOf('here'))
    for (const name of [...listOf('here').map((name) => `parcels/${name}`), 'invoice.toml'])
      expect(readFileSync(world.path(`there/${folder}/${name}`))).toEqual(
        readFileSync(world.path(`here/${folder}/${name}`)),
      )
  })

  it('is listed, shown and yanked', async () => {
    expect((await world.run('bindle', 'query', 'hel', '-b', '1.0.0')).stdout).toBe('')
    expect((await world.run('bindle', 'query', 'hel', '-b', '=1.0.0')).stdout).toBe(
      'hello/1.0.0+a1\nhello/1.0.0+a2\n',
    )
    expect((await world.run('bindle', 'query', '--limit', '1')).stdout).toBe('hello/1.0.0+a1\n')
    const info = await world.run('bindle', 'info', 'hello/1.0.0+a1', '--json')
    expect(json(info)).toMatchObject({ bindle: { name: 'hello', version: '1.0.0+a1' } })
    expect(await world.run('bindle', 'yank', 'hello/1.0.0+a1')).toMatchObject({
      code: 0,
      stdout: 'yanked: hello/1.0.0+a1\n',
    })
    expect(await world.run('bindle', 'info', 'hello/1.0.0+a1')).toMatchObject({ code: 1 })
    expect(await world.run('bindle', 'info', '--yanked', 'hello/1.0.0+a1')).toMatchObject({
      code: 0,
    })
    expect((await world.run('bindle', 'query')).stdout).toBe('hello/1.0.0+a2\n')
    expect((await world.run('bindle', 'query', '--yanked')).stdout).toContain('(yanked)')
  })

  it('moves to a registry: what, all of a name, first only said, then done, then for nothing', async () => {
    const to = `${REGISTRY}/ann/hello`
    const all = ['bindle', 'migrate', '--all', 'hello', to]
    const planned = await world.run(...all, '--dry-run')
    expect(planned.code).toBe(0)
    expect(planned.stdout.split('\n')).toEqual([
      expect.stringMatching(/^would write: hello\/1\.0\.0\+a1 -> .*@sha256:\w+ \(1\.0\.0_a1\)$/),
      expect.stringMatching(/^would write: hello\/1\.0\.0\+a2 -> .*@sha256:\w+ \(1\.0\.0_a2\)$/),
      '',
    ])
    expect(world.requests.filter((request) => /^(?:PUT|POST|PATCH|DELETE) /.test(request))).toEqual(
      [],
    )
    const one = await world.run('bindle', 'migrate', 'hello/1.0.0+a1', to)
    expect(one.stdout).toBe(
      planned.stdout.replace(/\n.*\n/, '\n').replace('would write', 'migrated'),
    )
    const rest = json(await world.run(...all, '--json'))
    expect(rest['migrated']).toMatchObject([{ status: 'exists' }, { status: 'migrated' }])
    expect((await world.run('registry', 'tags', to)).stdout).toBe('1.0.0_a1\n1.0.0_a2\n')
    expect(await world.run('bindle', 'migrate', 'hello', to)).toMatchObject({ code: 2 })
    expect(await world.run('bindle', 'migrate', '--all', 'hello', `${to}:x`)).toMatchObject({
      code: 2,
    })
  })

  it('moves to the same digest from a server, a folder and a tarball', async () => {
    const digests = new Set<string>()
    await world.run('bindle', 'pull', 'hello/1.0.0+a1', '-e', 'folder')
    await world.run('bindle', 'pull', 'hello/1.0.0+a1', '-e', 'packed', '--tarball')
    for (const path of [undefined, 'folder', 'packed']) {
      const from = path === undefined ? [] : ['--path', path]
      const run = await world.run(
        ...['bindle', 'migrate', 'hello/1.0.0+a1', `${REGISTRY}/ann/${path ?? 'server'}:1`],
        ...[...from, '--json'],
      )
      digests.add((json(run)['migrated'] as { digest: string }[])[0]?.digest ?? 'none')
    }
    expect([...digests]).toEqual([expect.stringMatching(/^sha256:/)])
  })
})

describe('bindle keys', () => {
  it('are made, shown, fetched and added; who is not known is refused', async () => {
    const world = worldOf()
    const made = await world.run('bindle', 'keys', 'create', 'Ann', '--roles', 'creator,host')
    expect(made).toMatchObject({ code: 0 })
    const [own] = parseKeyring((await world.run('bindle', 'keys', 'print')).stdout).key
    expect(own).toMatchObject({ label: 'Ann', roles: ['creator', 'host'] })
    await world.run('bindle', 'push', '-f', 'app')
    const verify = ['bindle', 'info', 'hello/1.0.0', '--verify']
    expect(await world.run(...verify)).toMatchObject({ code: 0 })
    const other = ['--keyring', 'other.toml']
    expect(await world.run(...verify, ...other)).toMatchObject({ code: 1 })
    await world.run('bindle', 'keys', 'add', 'Bob', 'creator', btoa('b'.repeat(32)), ...other)
    const unknown = await world.run(...verify, ...other)
    expect(unknown.code).toBe(1)
    expect(unknown.stderr).toContain('ERR_POLICY_REJECTED')
    await world.run('bindle', 'keys', 'add', 'Ann', 'approver', own?.key ?? '', ...other)
    expect(await world.run(...verify, ...other)).toMatchObject({ code: 0 })
    expect(await world.run(...verify, ...other, '--key-roles')).toMatchObject({ code: 1 })
  })

  it('of a server count as the server’s only', async () => {
    const server = createSession()
    await server.run('bindle', 'keys', 'create', 'Host', '--roles', 'host,creator')
    const text = readFileSync(server.path('.config/bindle/secret_keys.toml'), 'utf8')
    const { parseSecretKeys } = await import('../../src/bindle/keyring.ts')
    const [hostKey] = parseSecretKeys(text).key
    const world = worldOf(hostKey === undefined ? {} : { hostKey })
    const run = await world.run('bindle', 'keys', 'fetch', '--json')
    expect(json(run)['added']).toMatchObject([{ label: 'Host', roles: ['host'] }])
    await world.run('bindle', 'push', '-f', 'app')
    const strategy = ['--strategy', 'MultipleAttestation[host]']
    expect(await world.run('bindle', 'pull', 'hello/1.0.0', '-o', 'a', ...strategy)).toMatchObject({
      code: 0,
    })
    expect(await world.run('bindle', 'pull', 'hello/1.0.0', '-o', 'b', '--verify')).toMatchObject({
      code: 1,
    })
  })
})

describe('up --bindle', () => {
  it('runs what a server has', async () => {
    const world = worldOf()
    await world.run('bindle', 'push', '-f', 'app')
    const stop = new AbortController()
    let answer: Promise<string> | undefined
    const run = await world.runWith(
      {
        signal: stop.signal,
        onStdout: (text) => {
          const url = /Serving (http:\S+)/.exec(text)?.[1]
          if (url === undefined) return
          answer = fetch(`${url}/static/style.css`).then((response) => response.text())
          void answer.finally(() => stop.abort())
        },
      },
      ...['up', '--bindle', 'hello/1.0.0', '--listen', '127.0.0.1:0'],
    )
    expect(run).toMatchObject({ code: 0, stderr: 'hello: GET /static/style.css\n' })
    expect(await answer).toBe(readFileSync(join(hello, 'static/style.css'), 'utf8'))
  })
})

describe('wrong usage', () => {
  it.each([
    [['bindle', 'push', '--bindle-server', 'bindle.example'], 2, 'URL'],
    [['bindle', 'info', 'hello'], 2, 'NAME/VERSION'],
    [['bindle', 'prepare', '-f', 'app'], 2, '--staging-dir'],
    [['bindle', 'info', 'hello/1.0.0', '--strategy', 'None'], 2, 'strategy'],
    [['bindle', 'info', 'hello/1.0.0', '--token-file', 'none.toml'], 1, 'token file'],
    [['up', '--bindle', 'hello'], 2, 'NAME/VERSION'],
  ])('%j ends with %i', async (args, code, said) => {
    const run = await worldOf().run(...args)
    expect(run).toMatchObject({ code, stdout: '' })
    expect(run.stderr).toContain(said)
  })

  it('is a command without a server', async () => {
    const run = await createSession().run('bindle', 'info', 'hello/1.0.0')
    expect(run).toMatchObject({ code: 2 })
    expect(run.stderr).toContain('BINDLE_URL')
  })
})
