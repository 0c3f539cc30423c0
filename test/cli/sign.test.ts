import { existsSync, readFileSync, statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createSigstoreInstance, type SigstoreInstance } from '../../mocks/sigstore/instance.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { exportCosignKey, importCosignKey } from '../../src/trust/keys/cosign-key.ts'
import {
  formatPrivateKey,
  formatPublicKey,
  generateKeyPair,
} from '../../src/trust/keys/private-key.ts'
import type { FetchLike } from '../../src/types.ts'
import { createSession, type Session } from './session.ts'
import { hello } from './hello.ts'

const REF = 'localhost:5000/team/hello:1'
const IDENTITY = ['--certificate-identity', 'dev@example.org']
const BY_DEV = [...IDENTITY, '--certificate-oidc-issuer', 'https://accounts.sigstore.test']
const SERVICES = [
  '--fulcio-url',
  'https://fulcio.sigstore.test',
  '--rekor-url',
  'https://rekor.sigstore.test',
  '--timestamp-server-url',
  'https://timestamp.sigstore.test/api/v1/timestamp',
  '--trusted-root',
  'root.json',
]

interface World {
  readonly session: Session
  readonly sigstore: SigstoreInstance
  /** Hosts that were asked since the last look. */
  readonly hosts: () => string[]
}

/** Made once: a key's encryption takes its time on purpose. */
const keyFiles = (async () => {
  const { privateKey, publicKey } = await generateKeyPair()
  return {
    'cosign.key': await exportCosignKey(privateKey, 'hello'),
    'cosign.pub': await formatPublicKey(publicKey),
  }
})()

/** A registry with an application, a sigstore instance, and a user with a key. */
async function createWorld(): Promise<World> {
  const sigstore = await createSigstoreInstance()
  const registry = createRegistryHandler({ storage: createMemoryStorage() })
  const asked = new Set<string>()
  const fetch: FetchLike = (request) => {
    const { hostname } = new URL(request.url)
    asked.add(hostname)
    return hostname === 'localhost' ? registry.fetch(request) : sigstore.fetch(request)
  }
  const session = createSession(fetch)
  session.env['COSIGN_PASSWORD'] = 'hello'
  session.write('root.json', sigstore.trustedRoot())
  for (const [name, pem] of Object.entries(await keyFiles)) session.write(name, pem)
  await session.run('registry', 'push', '-f', hello, REF)
  asked.clear()
  return {
    session,
    sigstore,
    hosts: () => {
      const hosts = [...asked].sort()
      asked.clear()
      return hosts
    },
  }
}

describe('generate-key-pair', () => {
  it("makes the files that cosign's makes, which nobody else may read, and says so in its words", async () => {
    const session = createSession()
    session.env['COSIGN_PASSWORD'] = 'secret'
    const { code, stdout, stderr } = await session.run('generate-key-pair')
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: '',
      stderr: 'Private key written to cosign.key\nPublic key written to cosign.pub\n',
    })
    expect(statSync(session.path('cosign.key')).mode & 0o777).toBe(0o600)
    const pem = readFileSync(session.path('cosign.key'), 'utf8')
    expect(pem).toMatch(/^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n/)
    await importCosignKey(pem, 'secret')
    expect(readFileSync(session.path('cosign.pub'), 'utf8')).toMatch(/^-----BEGIN PUBLIC KEY-----/)
  })

  it('writes over nothing', async () => {
    const session = createSession()
    session.env['COSIGN_PASSWORD'] = ''
    session.write('a.pub', 'mine')
    const { code, stderr } = await session.run('generate-key-pair', '--output-key-prefix', 'a')
    expect(code).toBe(1)
    expect(stderr).toContain('a.pub already exists')
    expect(existsSync(session.path('a.key'))).toBe(false)
  })

  it('takes the password from stdin, and takes no silence for an empty one', async () => {
    const session = createSession()
    const silent = await session.run('generate-key-pair')
    expect(silent).toMatchObject({ code: 2 })
    expect(silent.stderr).toContain('COSIGN_PASSWORD')
    expect(existsSync(session.path('cosign.key'))).toBe(false)
    const piped = await session.runWith({ stdin: 'typed\n' }, 'generate-key-pair', '--json')
    expect(JSON.parse(piped.stdout)).toMatchObject({
      privateKey: 'cosign.key',
      publicKey: 'cosign.pub',
      keyId: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    })
    await importCosignKey(readFileSync(session.path('cosign.key'), 'utf8'), 'typed')
  })
})

describe('sign and verify with a key', () => {
  it('go together with nobody asked but the registry', async () => {
    const { session, hosts } = await createWorld()
    const signed = await session.run('sign', '--key', 'cosign.key', '--tlog-upload=false', REF)
    expect(signed).toMatchObject({ code: 0 })
    expect(signed.stdout).toMatch(/^Signed localhost:5000\/team\/hello@sha256:[0-9a-f]{64}\n$/)
    expect(signed.stderr).toBe('Pushing signature to: localhost:5000/team/hello\n')
    const verified = await session.run(
      'verify',
      '--key',
      'cosign.pub',
      '--insecure-ignore-tlog',
      REF,
    )
    expect(verified).toMatchObject({ code: 0 })
    expect(verified.stdout).toMatch(
      /^Verified localhost:5000\/team\/hello@sha256:[0-9a-f]{64}\nSigned by the key [0-9a-f]{64}\n$/,
    )
    expect(verified.stderr).toContain(`Verification for ${REF} --`)
    expect(hosts()).toEqual(['localhost'])
  })

  it.each(['referrer', 'tag', 'both'])(
    'attached as %s, annotations are held to',
    async (attach) => {
      const { session } = await createWorld()
      const sign = ['sign', '--key', 'cosign.key', '--tlog-upload=false', '--attach', attach]
      expect(await session.run(...sign, '-a', 'stage=prod', '-a', 'by=ann', REF)).toMatchObject({
        code: 0,
      })
      const verify = ['verify', '--key', 'cosign.pub', '--insecure-ignore-tlog']
      expect(await session.run(...verify, '-a', 'stage=prod', REF)).toMatchObject({ code: 0 })
      const refused = await session.run(...verify, '-a', 'stage=test', REF)
      expect(refused).toMatchObject({ code: 1, stdout: '' })
      expect(refused.stderr).toContain('the annotation stage is "prod", the policy requires "test"')
    },
  )

  it('is in a log of one’s own, which is then asked for by default', async () => {
    const { session, hosts } = await createWorld()
    const log = ['--rekor-url', 'https://rekor.sigstore.test', '--trusted-root', 'root.json']
    const signed = await session.run('sign', '--key', 'cosign.key', ...log, '--json', REF)
    expect(signed).toMatchObject({ code: 0 })
    expect(JSON.parse(signed.stdout)).toMatchObject({
      logEntries: [{ index: expect.any(Number) as number }],
    })
    expect(signed.stderr).toMatch(/tlog entry created with index: \d+/)
    expect(hosts()).toEqual(['localhost', 'rekor.sigstore.test'])
    const by = ['verify', '--key', 'cosign.pub']
    expect(await session.run(...by, '--trusted-root', 'root.json', REF)).toMatchObject({ code: 0 })
    expect(hosts()).toEqual(['localhost'])
    const foreign = await session.run(...by, REF)
    expect(foreign).toMatchObject({ code: 1 })
    expect(foreign.stderr).toContain('trusted root does not contain the transparency log')
  })

  it.each([
    'awskms:///alias/hello',
    'hashivault://hello',
    'k8s://team/key',
    'https://keys.example/cosign.pub',
    'pkcs11:token=release;object=hello?pin-value=1234',
    'PKCS11:object=hello?pin-value=1234',
  ])('names what is not read, and says what to do in place of %s', async (place) => {
    const { session, hosts } = await createWorld()
    hosts()
    const [scheme = ''] = /^\w+:(?:\/\/)?/.exec(place.toLowerCase())!
    for (const command of [['sign', '--tlog-upload=false'], ['verify']]) {
      const result = await session.run(...command, '--key', place, REF)
      expect(result).toMatchObject({ code: 2, stdout: '' })
      expect(result.stderr).toContain(`cannot be read from ${scheme}: give a file or env://NAME`)
      expect(result.stderr).not.toContain('1234')
    }
    expect(hosts()).toEqual([])
  })

  it('takes plain PEM and env://, and says when the password is wrong', async () => {
    const { session } = await createWorld()
    const { privateKey } = await generateKeyPair()
    session.write('plain.pem', await formatPrivateKey(privateKey))
    session.env['PUBLIC'] = readFileSync(session.path('cosign.pub'), 'utf8')
    const sign = ['sign', '--tlog-upload=false', '--key']
    expect(await session.run(...sign, 'plain.pem', REF)).toMatchObject({ code: 0 })
    const verify = ['verify', '--insecure-ignore-tlog', '--key', 'env://PUBLIC', REF]
    expect(await session.run(...verify)).toMatchObject({ code: 1 })
    expect(await session.run(...sign, 'cosign.key', REF)).toMatchObject({ code: 0 })
    expect(await session.run(...verify)).toMatchObject({ code: 0 })
    session.env['COSIGN_PASSWORD'] = 'wrong'
    const refused = await session.run(...sign, 'cosign.key', REF)
    expect(refused).toMatchObject({ code: 1 })
    expect(refused.stderr).toContain('[ERR_CREDENTIALS_INVALID]')
  })

  it('keeps signatures in another repository where COSIGN_REPOSITORY says so', async () => {
    const { session } = await createWorld()
    session.env['COSIGN_REPOSITORY'] = 'localhost:5000/signatures'
    await session.run('sign', '--key', 'cosign.key', '--tlog-upload=false', '--attach', 'both', REF)
    const verify = ['verify', '--key', 'cosign.pub', '--insecure-ignore-tlog', REF]
    expect(await session.run(...verify)).toMatchObject({ code: 0 })
    delete session.env['COSIGN_REPOSITORY']
    const beside = await session.run(...verify)
    expect(beside).toMatchObject({ code: 1 })
    expect(beside.stderr).toContain('is not signed')
  })

  it('answers as cosign does with --output json, and with all that was proven with --json', async () => {
    const { session } = await createWorld()
    await session.run(
      'sign',
      '--key',
      'cosign.key',
      '--tlog-upload=false',
      '-a',
      'a=b',
      '--attach',
      'both',
      REF,
    )
    const verify = ['verify', '--key', 'cosign.pub', '--insecure-ignore-tlog']
    const cosign = await session.run(...verify, '--output', 'json', REF)
    const [signature] = JSON.parse(cosign.stdout) as unknown[]
    const digest = expect.stringMatching(/^sha256:/) as string
    expect(signature).toEqual({
      critical: {
        identity: { 'docker-reference': REF },
        image: { 'docker-manifest-digest': digest },
        type: 'https://sigstore.dev/cosign/sign/v1',
      },
      optional: { a: 'b' },
    })
    session.write('legacy.json', {
      key: 'cosign.pub',
      requireTransparencyLog: false,
      formats: ['legacy'],
    })
    const older = await session.run('verify', '--policy', 'legacy.json', '--output', 'json', REF)
    expect(JSON.parse(older.stdout)).toEqual([
      {
        critical: {
          identity: { 'docker-reference': 'localhost:5000/team/hello' },
          image: { 'docker-manifest-digest': digest },
          type: 'cosign container image signature',
        },
        optional: { a: 'b' },
      },
    ])
    const ours = await session.run(...verify, '--json', REF)
    expect(JSON.parse(ours.stdout)).toMatchObject({
      descriptor: { digest },
      signatures: [{ format: 'bundle', signer: { kind: 'key' } }],
      rejected: [],
    })
  })
})

describe('sign without a key', () => {
  it.each([
    ['a token', async ({ sigstore }: World) => ['--identity-token', await sigstore.issueToken()]],
    [
      'a file with a token',
      async ({ sigstore, session }: World) => {
        session.write('token', `${await sigstore.issueToken()}\n`)
        return ['--identity-token', 'token']
      },
    ],
    [
      "a CI job's token",
      async ({ sigstore, session }: World) => {
        session.env['SIGSTORE_ID_TOKEN'] = await sigstore.issueToken()
        return []
      },
    ],
  ])('signs as who %s names', async (_, tokenOf) => {
    const world = await createWorld()
    const { session, hosts } = world
    const signed = await session.run('sign', ...SERVICES, ...(await tokenOf(world)), REF)
    expect(signed).toMatchObject({ code: 0 })
    expect(hosts()).toEqual([
      'fulcio.sigstore.test',
      'localhost',
      'rekor.sigstore.test',
      'timestamp.sigstore.test',
    ])
    const verified = await session.run('verify', ...BY_DEV, '--trusted-root', 'root.json', REF)
    expect(verified).toMatchObject({ code: 0 })
    expect(verified.stdout).toContain(
      'Signed by dev@example.org, authenticated by https://accounts.sigstore.test, at ',
    )
    const json = await session.run(
      'verify',
      ...BY_DEV,
      '--trusted-root',
      'root.json',
      '-o',
      'json',
      REF,
    )
    expect(JSON.parse(json.stdout)).toMatchObject([
      { optional: { Subject: 'dev@example.org', Issuer: 'https://accounts.sigstore.test' } },
    ])
    expect(hosts()).toEqual(['localhost'])
  })

  it('asks a person to log in on another device where there is a terminal', async () => {
    const { session, sigstore } = await createWorld()
    const login = ['--oidc-issuer', sigstore.issuer]
    const signed = await session.runWith({ tty: true }, 'sign', ...SERVICES, ...login, REF)
    expect(signed).toMatchObject({ code: 0 })
    expect(signed.stderr).toContain('/device?user_code=ABCD-EFGH and enter ABCD-EFGH')
    expect(
      await session.run('verify', ...BY_DEV, '--trusted-root', 'root.json', REF),
    ).toMatchObject({ code: 0 })
    const alone = await session.run('sign', ...SERVICES, ...login, REF)
    expect(alone).toMatchObject({ code: 1 })
    expect(alone.stderr).toContain('cannot log in without a terminal')
  })

  it.each([1, 2] as const)('follows a signing config, to a log of version %i', async (version) => {
    const { session, sigstore, hosts } = await createWorld()
    const { fulcio, rekor, timestamp } = version === 1 ? sigstore.services : sigstore.servicesV2
    const service = (url: string, majorApiVersion = 1): object => ({
      url,
      majorApiVersion,
      validFor: { start: '2020-01-01T00:00:00Z' },
      operator: 'sigstore.test',
    })
    session.write('signing.json', {
      mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
      caUrls: [service(fulcio)],
      rekorTlogUrls: [service(rekor.url, rekor.version)],
      rekorTlogConfig: { selector: 'ANY' },
      tsaUrls: [service(timestamp)],
      tsaConfig: { selector: 'ANY' },
    })
    const token = await sigstore.issueToken()
    const named = ['--signing-config', 'signing.json', '--trusted-root', 'root.json']
    const signed = await session.run('sign', ...named, '--identity-token', token, REF)
    expect(signed).toMatchObject({ code: 0 })
    expect(hosts()).toContain(new URL(rekor.url).hostname)
    expect(
      await session.run('verify', ...BY_DEV, '--trusted-root', 'root.json', REF),
    ).toMatchObject({ code: 0 })
  })

  it('writes nothing and says why when a service answers with what does not hold', async () => {
    const { session, sigstore } = await createWorld()
    sigstore.flaws = { rekor: 'other-entry' }
    const token = await sigstore.issueToken()
    const signed = await session.run('sign', ...SERVICES, '--identity-token', token, REF)
    expect(signed).toMatchObject({ code: 1, stdout: '' })
    expect(signed.stderr).toContain('[ERR_SIGNATURE_INVALID]')
    expect(signed.stderr).not.toContain(token)
    const verified = await session.run('verify', ...BY_DEV, '--trusted-root', 'root.json', REF)
    expect(verified.stderr).toContain('is not signed')
  })
})

describe('before anything is sent', () => {
  it.each([
    [['sign', '--key', 'cosign.key', REF], 2, 'can never be removed'],
    [['sign', '--identity-token', 'a.b.c', REF], 2, 'can never be removed'],
    [['sign', '--key', 'cosign.key', '--identity-token', 'a.b.c', REF], 2, 'not both'],
    [['sign', '--key', 'none.key', '--tlog-upload=false', REF], 1, 'none.key'],
    [['sign', '--key', 'cosign.pub', '--tlog-upload=false', REF], 1, 'has "PUBLIC KEY": pass the'],
    [
      ['sign', '--key', 'cosign.key', '--rekor-url', 'https://rekor.example', REF],
      2,
      '--trusted-root',
    ],
    [['sign', '--fulcio-url', 'ftp://x', '--trusted-root', 'root.json', REF], 2, 'is not a URL'],
    [
      ['sign', '--rekor-url', 'https://r.example', '--trusted-root', 'root.json', REF],
      2,
      '--fulcio-url',
    ],
    [
      ['sign', '--fulcio-url', 'https://f.example', '--trusted-root', 'root.json', REF],
      2,
      'needs a transparency log or a timestamp authority',
    ],
    [
      ['sign', '--signing-config', 'x', '--fulcio-url', 'https://f.example', REF],
      2,
      'give it alone',
    ],
    [['sign', '--rekor-url', 'https://r.example', '--tlog-upload=false', REF], 2, 'contradict'],
    [
      ['sign', '--key', 'cosign.key', '--attach', 'tag', '--new-bundle-format=false', REF],
      2,
      '--attach and --new-bundle-format exclude each other',
    ],
    [['sign', '--key', 'cosign.key', '--attach', 'tag', '--bundle', 'b.json', REF], 2, 'no bundle'],
    [['verify', REF], 2, 'name the required signer'],
    [['verify', '--key', 'cosign.pub', ...IDENTITY, REF], 2, 'not both'],
    [['verify', ...IDENTITY, REF], 2, 'are both required'],
    [['verify', '--certificate-oidc-issuer', 'x', REF], 2, 'are both required'],
    [['verify', '--trusted-root', 'root.json', REF], 2, 'name the required signer'],
    [['verify', '--key', 'cosign.pub', '--use-signed-timestamps', REF], 2, 'certificates'],
    [
      ['verify', '--key', 'cosign.pub', '--json', '-o', 'json', REF],
      2,
      '--json and --output exclude each other',
    ],
    [
      ['verify', '--key', 'cosign.pub', '--policy', 'p.json', REF],
      2,
      '--policy excludes the other policy flags',
    ],
    [['verify', '--policy', 'none.json', REF], 1, 'none.json'],
  ])('%j is refused', async (args, code, message) => {
    const { session, hosts } = await createWorld()
    const run = await session.run(...args)
    expect(run).toMatchObject({ code, stdout: '' })
    expect(run.stderr).toContain(message)
    expect(hosts()).toEqual([])
  })
})
