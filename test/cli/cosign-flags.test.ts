import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createSigstoreInstance } from '../../mocks/sigstore/instance.ts'
import { ABSENT_FLAGS, IDLE_FLAGS } from '../../src/cli/sign/cosign-flags.ts'
import { IMAGE_INDEX } from '../../src/oci/manifest.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import {
  formatPrivateKey,
  formatPublicKey,
  generateKeyPair,
} from '../../src/trust/keys/private-key.ts'
import type { Descriptor, FetchLike } from '../../src/types.ts'
import { collect, createArtifact, pushJson } from '../portable/trust-fixture.ts'
import { createSession } from './session.ts'

const REPOSITORY = 'localhost:5000/team/hello'
const SIGN = ['sign', '--key', 'our.pem', '--tlog-upload=false']
const VERIFY = ['verify', '--key', 'our.pub', '--insecure-ignore-tlog']

/** A registry with two artifacts and an index of both, a sigstore instance, and a user with a key. */
async function createWorld() {
  const registry = createRegistryHandler()
  const sigstore = await createSigstoreInstance()
  let requests = 0
  const fetch: FetchLike = (request) => {
    requests++
    return new URL(request.url).hostname === 'localhost'
      ? registry.fetch(request)
      : sigstore.fetch(request)
  }
  const session = createSession(fetch)
  const { privateKey, publicKey } = await generateKeyPair()
  session.write('our.pem', await formatPrivateKey(privateKey))
  session.write('our.pub', await formatPublicKey(publicKey))
  session.write('root.json', sigstore.trustedRoot())
  const repository = createRepository(REPOSITORY, registry)
  const [one, two] = [
    await createArtifact(repository, 'one'),
    await createArtifact(repository, 'two'),
  ]
  const manifests = [one, two]
  const index = await pushJson(
    repository,
    { schemaVersion: 2, mediaType: IMAGE_INDEX, manifests },
    IMAGE_INDEX,
  )
  for (const [tag, target] of Object.entries({ one, two, index })) await repository.tag(target, tag)
  const named = ({ digest }: Descriptor): string => `${REPOSITORY}@${digest}`
  return { session, sigstore, repository, one, two, index, named, requests: () => requests }
}

/** An argument of a flag that has no meaning of its own. */
const spell = (flag: string, harmless?: string): string[] =>
  harmless === 'false' ? [flag] : harmless === 'true' ? [`${flag}=false`] : [flag, 'x']

describe("cosign's flags that are not here", () => {
  it.each(ABSENT_FLAGS.flatMap((absent) => absent.of.map((name) => ({ name, ...absent }))))(
    '$name $flag is refused with what to do in its place',
    async ({ name, flag, harmless, instead }) => {
      const { session, requests, named, one } = await createWorld()
      const before = requests()
      const rest = name === 'generate-key-pair' ? [] : [named(one)]
      const run = await session.run(name, ...spell(flag, harmless), ...rest)
      expect(run).toMatchObject({ code: 2, stdout: '' })
      expect(run.stderr).toContain(`${flag} is not supported: ${instead}`)
      expect(requests()).toBe(before)
    },
  )

  it('are let pass where they ask for nothing else than what is done', async () => {
    const { session, named, one } = await createWorld()
    const harmless = (name: string): string[] => [
      ...ABSENT_FLAGS.flatMap(({ flag, of, harmless }) =>
        of.includes(name as 'sign') && harmless !== undefined ? [`${flag}=${harmless}`] : [],
      ),
      ...IDLE_FLAGS.flatMap(({ flag, of, harmless }) =>
        of.includes(name as 'sign') ? [harmless === undefined ? `${flag}=4` : flag] : [],
      ),
    ]
    expect(harmless('verify')).toContain('--check-claims=true')
    expect(await session.run(...SIGN, ...harmless('sign'), named(one))).toMatchObject({ code: 0 })
    expect(await session.run(...VERIFY, ...harmless('verify'), named(one))).toMatchObject({
      code: 0,
    })
  })
})

describe('several artifacts', () => {
  it('are signed and verified by one command, which ends at the first that is refused', async () => {
    const { session, named, one, two, index } = await createWorld()
    const signed = await session.run(...SIGN, `${REPOSITORY}:one`, named(two))
    expect(signed).toMatchObject({
      code: 0,
      stdout: `Signed ${named(one)}\nSigned ${named(two)}\n`,
    })
    const json = await session.run(...VERIFY, '-o', 'json', named(one), named(two))
    expect(json.code).toBe(0)
    const answers = json.stdout.trim().split('\n')
    expect(answers.map((line) => JSON.parse(line) as unknown)).toMatchObject(
      [one, two].map(({ digest }) => [
        { critical: { image: { 'docker-manifest-digest': digest } } },
      ]),
    )
    const refused = await session.run(...VERIFY, named(index), named(one))
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toContain(index.digest)
  })

  it('are signed by who logged in once', async () => {
    const { session, sigstore, named, one, two } = await createWorld()
    const services = ['--fulcio-url', sigstore.services.fulcio as string]
    services.push('--timestamp-server-url', sigstore.services.timestamp as string)
    services.push('--trusted-root', 'root.json', '--oidc-issuer', sigstore.issuer)
    const signed = await session.runWith({ tty: true }, 'sign', ...services, named(one), named(two))
    expect(signed.code).toBe(0)
    expect(signed.stderr.match(/to sign with your identity/g)).toHaveLength(1)
  })

  it('of an index are signed with it by --recursive', async () => {
    const { session, named, one, two, index } = await createWorld()
    const signed = await session.run(...SIGN, '--recursive', `${REPOSITORY}:index`)
    expect(signed).toMatchObject({ code: 0 })
    const by = [index, one, two].map((target) => `Signed ${named(target)}\n`)
    expect(signed.stdout).toBe(by.join(''))
    expect(await session.run(...VERIFY, named(index), named(one), named(two))).toMatchObject({
      code: 0,
    })
  })

  it('fit in no one bundle', async () => {
    const { session, named, one, two, repository } = await createWorld()
    for (const what of [
      [named(one), named(two)],
      ['-r', `${REPOSITORY}:index`],
    ]) {
      const run = await session.run(...SIGN, '--bundle', 'b.json', ...what)
      expect(run).toMatchObject({ code: 2, stdout: '' })
      expect(run.stderr).toContain('several')
    }
    expect(await collect(repository.referrers(one))).toEqual([])
  })
})

describe('sign', () => {
  it('writes only the file with --upload=false', async () => {
    const { session, named, one, repository } = await createWorld()
    const signed = await session.run(...SIGN, '--upload=false', '--bundle', 'b.json', named(one))
    expect(signed).toMatchObject({ code: 0, stdout: `Signed ${named(one)}\n`, stderr: '' })
    expect(JSON.parse(readFileSync(session.path('b.json'), 'utf8'))).toMatchObject({
      mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    })
    expect(await collect(repository.referrers(one))).toEqual([])
    for (const flags of [[], ['--bundle', 'b.json', '--attach', 'both']])
      expect(await session.run(...SIGN, '--upload=false', ...flags, named(one))).toMatchObject({
        code: 2,
      })
  })

  it('says when with --record-creation-timestamp', async () => {
    const { session, named, one, repository } = await createWorld()
    await session.run(...SIGN, '--record-creation-timestamp', named(one))
    const [referrer] = await collect(repository.referrers(one))
    const created = referrer?.annotations?.['org.opencontainers.image.created'] ?? ''
    expect(Math.abs(Date.parse(created) - Date.now())).toBeLessThan(60_000)
    const older = ['--attach', 'tag', '--record-creation-timestamp']
    expect(await session.run(...SIGN, ...older, named(one))).toMatchObject({ code: 2 })
  })

  it('takes services that are named for all there are', async () => {
    const { session, named, one } = await createWorld()
    const both = ['--use-signing-config', '--rekor-url', 'https://rekor.example']
    const run = await session.run('sign', '--key', 'our.pem', ...both, named(one))
    expect(run).toMatchObject({ code: 2 })
    expect(run.stderr).toContain('leave it out to name your own')
    expect(await session.run(...SIGN, '--use-signing-config=false', named(one))).toMatchObject({
      code: 0,
    })
  })
})

describe('verify', () => {
  it('takes the older form alone with --new-bundle-format=false', async () => {
    const { session, named, one } = await createWorld()
    const older = ['--new-bundle-format=false', named(one)]
    await session.run(...SIGN, named(one))
    expect(await session.run(...VERIFY, '--new-bundle-format', named(one))).toMatchObject({
      code: 0,
    })
    expect(await session.run(...VERIFY, ...older)).toMatchObject({ code: 1 })
    await session.run(...SIGN, ...older)
    expect(await session.run(...VERIFY, ...older)).toMatchObject({ code: 0 })
  })

  it('answers in cosign’s JSON with what the log and the authority said of the older form', async () => {
    const { session, sigstore, named, one } = await createWorld()
    const claims = { repository: 'team/app', ref: 'refs/heads/main' }
    const { fulcio, rekor, timestamp } = sigstore.services
    const services = ['--fulcio-url', fulcio, '--rekor-url', rekor.url]
    services.push('--timestamp-server-url', timestamp, '--trusted-root', 'root.json')
    const token = await sigstore.issueToken(claims)
    const signed = await session.run(
      'sign',
      ...services,
      '--identity-token',
      token,
      '--attach',
      'both',
      named(one),
    )
    expect(signed).toMatchObject({ code: 0 })
    const by = ['verify', '--certificate-identity', 'dev@example.org', '--trusted-root']
    by.push('root.json', '--certificate-oidc-issuer', sigstore.issuer, '-o', 'json')
    const older = await session.run(...by, '--new-bundle-format=false', named(one))
    const OID = '1.3.6.1.4.1.57264.1'
    const [{ critical, optional }] = JSON.parse(older.stdout) as [Record<string, object>]
    expect(critical).toEqual({
      identity: { 'docker-reference': REPOSITORY },
      image: { 'docker-manifest-digest': one.digest },
      type: 'cosign container image signature',
    })
    expect(optional).toEqual({
      [`${OID}.1`]: sigstore.issuer,
      [`${OID}.5`]: 'team/app',
      [`${OID}.6`]: 'refs/heads/main',
      Bundle: {
        SignedEntryTimestamp: expect.stringMatching(/^[\w+/]+=*$/) as string,
        Payload: {
          body: expect.stringMatching(/^eyJ/) as string,
          integratedTime: expect.any(Number) as number,
          logIndex: expect.any(Number) as number,
          logID: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        },
      },
      Issuer: sigstore.issuer,
      RFC3161Timestamp: { SignedRFC3161Timestamp: expect.stringMatching(/^MI/) as string },
      Subject: 'dev@example.org',
      githubWorkflowRef: 'refs/heads/main',
      githubWorkflowRepository: 'team/app',
    })
    expect(Object.keys(optional!)).toEqual(Object.keys(optional!).sort())
    const bundle = await session.run(...by, named(one))
    expect(JSON.parse(bundle.stdout)).toMatchObject([{ optional: { Subject: 'dev@example.org' } }])
    expect(bundle.stdout).not.toContain('"Bundle"')
  })

  it.each([
    ['referrer', '{}'],
    ['tag', 'null'],
  ])('says of nothing signed along, attached as %s, what Go says: %s', async (attach, said) => {
    const { session, named, one } = await createWorld()
    await session.run(...SIGN, '--attach', attach, named(one))
    const { stdout } = await session.run(...VERIFY, '-o', 'json', named(one))
    expect(stdout).toContain(`"optional":${said}}]`)
  })
})
