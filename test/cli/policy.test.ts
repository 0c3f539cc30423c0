import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import {
  formatPrivateKey,
  formatPublicKey,
  generateKeyPair,
} from '../../src/trust/keys/private-key.ts'
import type { FetchLike } from '../../src/types.ts'
import { hello } from './hello.ts'
import { createSession, type Run, type Session } from './session.ts'

const SIGNED = 'localhost:5000/team/hello:signed'
const UNSIGNED = 'localhost:5000/team/hello:unsigned'
const BY_KEY = ['--verify-key', 'our.pub', '--insecure-ignore-tlog']

interface World {
  readonly session: Session
  /** Digest of what is signed. */
  readonly digest: string
  /** Paths of blobs that were read since the last look. */
  readonly blobs: () => string[]
  /** From the next look at a tag on, it names what the other one does. */
  moveTags(): void
}

async function createWorld(): Promise<World> {
  const registry = createRegistryHandler({ storage: createMemoryStorage() })
  let moves = false
  let isMoved = false
  let read: string[] = []
  const fetch: FetchLike = async (request) => {
    const url = new URL(request.url)
    if (request.method === 'GET' && url.pathname.includes('/blobs/')) read.push(url.pathname)
    if (!moves || !url.pathname.endsWith('/manifests/signed')) return registry.fetch(request)
    const to = isMoved ? 'unsigned' : 'signed'
    isMoved = true
    return registry.fetch(new Request(new URL(to, url), request))
  }
  const session = createSession(fetch)
  for (const name of ['our', 'other']) {
    const { privateKey, publicKey } = await generateKeyPair()
    session.write(`${name}.pem`, await formatPrivateKey(privateKey))
    session.write(`${name}.pub`, await formatPublicKey(publicKey))
  }
  await session.run('registry', 'push', '-f', hello, SIGNED)
  await session.run('registry', 'push', '-f', hello, '--annotation', 'note=other', UNSIGNED)
  await session.run('sign', '--key', 'our.pem', '--tlog-upload=false', '--attach', 'both', SIGNED)
  const manifest = await session.run('registry', 'manifest', '--json', SIGNED)
  const { descriptor } = JSON.parse(manifest.stdout) as { descriptor: { digest: string } }
  read = []
  return {
    session,
    digest: descriptor.digest,
    blobs: () => read.splice(0),
    moveTags: () => {
      moves = true
    },
  }
}

const COMMANDS = [
  ['registry pull', ['registry', 'pull', '-o', 'out']],
  ['registry copy', ['registry', 'copy']],
  ['registry run', ['registry', 'run', '--listen', '127.0.0.1:0']],
  ['up', ['up', '--listen', '127.0.0.1:0', '--from-registry']],
] as const

/** Runs a command, and ends it once it says where it listens. */
function run(
  { session }: World,
  command: readonly string[],
  ref: string,
  ...flags: string[]
): Promise<Run> {
  const stop = new AbortController()
  const how = {
    signal: stop.signal,
    onStdout: (text: string) => {
      if (text.includes('Serving') || text.includes('"url"')) stop.abort()
    },
  }
  const to = command.includes('copy') ? ['localhost:5000/team/mirror:1'] : []
  return session.runWith(how, ...command, ref, ...to, ...flags)
}

describe.each(COMMANDS)('%s under a policy', (name, command) => {
  it('takes what is signed, and says which digest was verified', async () => {
    const world = await createWorld()
    const { code, stderr } = await run(world, command, SIGNED, ...BY_KEY)
    expect(code).toBe(0)
    expect(stderr).toContain(`Verified ${world.digest}`)
  })

  it.each([
    ['unsigned', UNSIGNED, BY_KEY, 'is not signed'],
    [
      'signed by another',
      SIGNED,
      ['--verify-key', 'other.pub', '--insecure-ignore-tlog'],
      'does not verify with the key',
    ],
    [
      'signed without the annotation',
      SIGNED,
      [...BY_KEY, '-a', 'stage=prod'],
      'the annotation stage is not signed',
    ],
    ['in no log', SIGNED, ['--verify-key', 'our.pub'], 'has no log entry'],
  ])('takes nothing that is %s', async (_, ref, flags, message) => {
    const world = await createWorld()
    const { code, stdout, stderr } = await run(world, command, ref, ...flags)
    expect(code).toBe(1)
    expect(stderr).toContain('[ERR_POLICY_REJECTED]')
    expect(stderr).toContain(message)
    expect(stdout).not.toMatch(/Serving|Successfully|Copied with/)
    expect(existsSync(world.session.path('out'))).toBe(false)
    const tags = await world.session.run('registry', 'tags', 'localhost:5000/team/mirror')
    expect(tags.code).toBe(1)
    // Signatures were looked at; nothing of the application.
    const locks = world.blobs().filter((path) => path.includes('team/hello'))
    expect(locks.length).toBeLessThanOrEqual(2)
  })

  it('takes the very digest that was verified when the tag moves meanwhile', async () => {
    const world = await createWorld()
    world.moveTags()
    const { code, stdout, stderr } = await run(world, command, SIGNED, ...BY_KEY, '--json')
    expect(code).toBe(0)
    expect(stderr).toContain(`Verified ${world.digest}`)
    if (name !== 'registry run' && name !== 'up')
      expect(JSON.parse(stdout)).toMatchObject({ descriptor: { digest: world.digest } })
    if (name === 'registry pull')
      expect(readFileSync(join(world.session.path('out'), 'manifest.json'), 'utf8')).not.toContain(
        'other',
      )
  })
})

describe('a policy over what is in no registry', () => {
  it.each([
    ['a folder, which is loaded anew when it changes', ['up', '--from', hello]],
    ['a bindle', ['up', '--bindle', 'hello/1.0.0', '--bindle-server', 'http://localhost:8080/v1']],
    ['a folder that becomes a Worker', ['build-worker', hello, '-o', 'out']],
  ])('is refused, and nothing runs: %s', async (_, command) => {
    const { session } = await createWorld()
    const { code, stdout, stderr } = await session.run(...command, ...BY_KEY)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('only an application from a registry can be verified')
    expect(existsSync(session.path('out'))).toBe(false)
  })
})

describe('a policy file', () => {
  const verify = async (world: World, policy: unknown, ref = SIGNED): Promise<Run> => {
    world.session.write('policies/policy.json', policy as object)
    return world.session.run('verify', '--policy', 'policies/policy.json', ref)
  }
  const ours = { key: '../our.pub', requireTransparencyLog: false }
  const others = { key: '../other.pub', requireTransparencyLog: false }

  it('names files from its own folder, and nests', async () => {
    const world = await createWorld()
    for (const policy of [
      ours,
      { ...ours, key: readFileSync(world.session.path('our.pub'), 'utf8') },
      { ...ours, key: ['../other.pub', '../our.pub'] },
      { anyOf: [others, ours] },
      { allOf: [ours, { anyOf: [others, ours] }] },
    ])
      expect(await verify(world, policy)).toMatchObject({ code: 0 })
    for (const policy of [
      others,
      { allOf: [ours, others] },
      { ...ours, threshold: 2 },
      { ...ours, annotations: { a: 'b' } },
    ])
      expect(await verify(world, policy)).toMatchObject({ code: 1, stdout: '' })
    expect(await verify(world, ours, UNSIGNED)).toMatchObject({ code: 1 })
  })

  it.each([
    ['a key that is not known', { ...ours, requireTransparencylog: true }, 'is not known'],
    ['nothing', {}, 'exactly one of'],
    ['no object', [], 'a policy should be a plain object'],
    ['a key and an identity', { ...ours, identity: 'a', issuer: 'b' }, 'exactly one of'],
    ['an identity without an issuer', { identity: 'a' }, '`issuer`'],
    [
      'two forms of one identity',
      { identity: 'a', identityRegexp: 'a', issuer: 'b' },
      'use one of them',
    ],
    ['an empty pattern', { identityRegexp: '', issuer: 'b' }, 'non-empty string'],
    ['a broken pattern', { identityRegexp: '(', issuer: 'b' }, 'is not a valid regular expression'],
    ['a file that is not there', { key: 'none.pub' }, 'none.pub'],
    [
      'a key in hardware',
      { key: 'pkcs11:object=hello?pin-value=1234' },
      'cannot be read from pkcs11:',
    ],
    ['a key of a service', { key: ['gcpkms://projects/x'] }, 'cannot be read from gcpkms://'],
    ['an empty list', { anyOf: [] }, '1 to 64'],
    ['a threshold of 0', { ...ours, threshold: 0 }, 'threshold'],
    ['a key twice', '{"key":"a","key":"b"}', 'twice'],
    ['no JSON', 'key: our.pub', 'JSON'],
  ])('with %s is refused before anybody is asked', async (_, policy, message) => {
    const world = await createWorld()
    const { code, stderr } = await verify(world, policy)
    expect(code).not.toBe(0)
    expect(stderr).toContain(message)
    expect(world.blobs()).toEqual([])
  })
})
