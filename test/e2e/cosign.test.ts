// cosign itself as a peer, in both directions. Left out where neither COSIGN nor the PATH has it.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSigstoreInstance } from '../../mocks/sigstore/instance.ts'
import type { CliIo } from '../../src/cli/terminal/io.ts'
import { createProgram } from '../../src/cli/program.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { listen } from '../../src/node/listen/listen.ts'
import { createRepository } from '../../src/registry/repository.ts'
import { exportCosignKey, importCosignKey } from '../../src/trust/keys/cosign-key.ts'
import {
  formatPublicKey,
  generateKeyPair,
  type WebKeyPair,
} from '../../src/trust/keys/private-key.ts'
import { createKeySigner } from '../../src/trust/keys/signer.ts'
import { sign } from '../../src/verbs/sign.ts'
import { verify } from '../../src/verbs/verify.ts'
import { createSession } from '../cli/session.ts'
import { createArtifact } from '../portable/trust-fixture.ts'
import { missingRegistry, startRegistry } from './docker-registry-process.ts'

interface Peer {
  readonly path: string
  readonly major: number
}

function findCosigns(): Peer[] {
  const named = [process.env['COSIGN'], process.env['COSIGN_2'], 'cosign']
  const found = new Map<number, Peer>()
  for (const path of named) {
    if (path === undefined) continue
    try {
      const text = execFileSync(path, ['version'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      // Built from source it has no version, but its help tells the two apart.
      const said = /GitVersion:\s+v(\d)/.exec(text)?.[1]
      const help = execFileSync(path, ['sign', '--help'], { encoding: 'utf8' })
      const major =
        said === undefined ? (help.includes('--use-signing-config') ? 3 : 2) : Number(said)
      if (!found.has(major)) found.set(major, { path, major })
    } catch {
      // Not there.
    }
  }
  return [...found.values()]
}

const peers = findCosigns()

const missing = [3, 2].filter((wanted) => !peers.some(({ major }) => major === wanted))
if (missing.length > 0) {
  it.for(missing)('cosign %i is a peer', (wanted, context) => {
    const name = wanted === 3 ? 'COSIGN' : 'COSIGN_2'
    context.skip(`no cosign ${wanted}: put it on the PATH, or name it in ${name}`)
  })
}

describe.each(peers.map((peer) => [`cosign ${peer.major}`, peer] as const))(
  '%s',
  (_, { path, major }) => {
    const folder = mkdtempSync(join(tmpdir(), 'spindle-cosign-'))
    const password = 'hello'
    const file = (name: string): string => join(folder, name)
    let pair: WebKeyPair
    const stops: (() => Promise<unknown>)[] = []
    const hosts = new Map<string, string>()

    beforeAll(async () => {
      pair = await generateKeyPair()
      writeFileSync(file('ours.key'), await exportCosignKey(pair.privateKey, password))
      writeFileSync(file('ours.pub'), await formatPublicKey(pair.publicKey))
      const embedded = await listen(createRegistryHandler())
      stops.push(() => embedded.close())
      hosts.set('the embedded registry', new URL(embedded.url).host)
      if (missingRegistry === undefined) {
        const docker = await startRegistry()
        stops.push(() => docker.stop())
        hosts.set('docker-registry', docker.host)
      }
    }, 30_000)
    afterAll(async () => {
      for (const stop of stops) await stop()
      rmSync(folder, { recursive: true, force: true })
    })

    async function run(...args: string[]): Promise<string> {
      const { execFile } = await import('node:child_process')
      const { promisify } = await import('node:util')
      // No proxy, no update of trusted roots: everything is on this machine.
      const env = { ...process.env, COSIGN_PASSWORD: password, HOME: folder, TUF_ROOT: file('tuf') }
      const { stdout, stderr } = await promisify(execFile)(path, args, {
        cwd: folder,
        env,
        timeout: 60_000,
      })
      return stdout + stderr
    }

    let count = 0
    async function pushArtifact(registry: string): Promise<{ reference: string; digest: string }> {
      const name = `${hosts.get(registry)!}/team/app${count++}`
      const repository = createRepository(`${name}:1`)
      const artifact = await createArtifact(repository, name)
      await repository.tag(artifact, '1')
      return { reference: `${name}:1`, digest: artifact.digest }
    }

    const registries = [
      'the embedded registry',
      ...(missingRegistry === undefined ? ['docker-registry'] : []),
    ]
    const offline = ['--insecure-ignore-tlog=true', '--allow-insecure-registry']
    const older = major >= 3 ? ['--new-bundle-format=false'] : []
    const forms = [...(major >= 3 ? (['referrer'] as const) : []), 'tag' as const]

    describe.each(registries)('on %s', (registry) => {
      it.each(forms)(
        'verifies what we signed, attached as %s',
        { timeout: 60_000 },
        async (attach) => {
          const { reference, digest } = await pushArtifact(registry)
          await sign(reference, await createKeySigner(pair), {
            attach,
            annotations: { stage: 'prod' },
          })
          const flags = attach === 'tag' ? older : []
          const said = await run(
            'verify',
            '--key',
            'ours.pub',
            '-a',
            'stage=prod',
            ...offline,
            ...flags,
            reference,
          )
          expect(said).toContain(digest)
          await expect(
            run('verify', '--key', 'ours.pub', '-a', 'stage=test', ...offline, ...flags, reference),
          ).rejects.toThrow()
        },
      )

      it.each(forms)(
        'signs what we verify, attached as %s',
        { timeout: 60_000 },
        async (attach) => {
          const { reference, digest } = await pushArtifact(registry)
          const flags =
            major >= 3
              ? [
                  '--use-signing-config=false',
                  '--tlog-upload=false',
                  ...(attach === 'tag' ? older : []),
                ]
              : ['--tlog-upload=false']
          await run(
            'sign',
            '--key',
            'ours.key',
            '-y',
            '--allow-insecure-registry',
            '-a',
            'stage=prod',
            ...flags,
            reference.replace(/:1$/, `@${digest}`),
          )
          const policy = {
            key: readFileSync(file('ours.pub'), 'utf8'),
            requireTransparencyLog: false,
            annotations: { stage: 'prod' },
          } as const
          const { descriptor, signatures } = await verify(reference, policy)
          expect(descriptor.digest).toBe(digest)
          expect(signatures).toMatchObject([{ format: attach === 'tag' ? 'legacy' : 'bundle' }])
        },
      )
    })

    it.each(forms)(
      'agrees with the spindle command about its files and answers, attached as %s',
      { timeout: 60_000 },
      async (attach) => {
        const { reference } = await pushArtifact('the embedded registry')
        const session = createSession()
        session.env['COSIGN_PASSWORD'] = password
        expect(await session.run('generate-key-pair')).toMatchObject({ code: 0 })
        const sign = ['sign', '--key', 'cosign.key', '--tlog-upload=false', '--attach', attach]
        expect(await session.run(...sign, '-a', 'a=b', reference)).toMatchObject({ code: 0 })
        const verify = ['verify', '--key', session.path('cosign.pub'), '-a', 'a=b']
        const theirs = await run(
          ...verify,
          '--output=json',
          ...offline,
          ...(attach === 'tag' ? older : []),
          reference,
        )
        const ours = await session.run(...verify, ...offline, '--output=json', reference)
        expect(ours).toMatchObject({ code: 0 })
        expect(JSON.parse(ours.stdout)).toEqual(JSON.parse(/^\[\{.*\}\]$/m.exec(theirs)![0]))
        // The other way round: its signature with our key.
        const again = await pushArtifact('the embedded registry')
        const upload = ['--tlog-upload=false', '--allow-insecure-registry', '-y']
        const format =
          major >= 3 ? ['--use-signing-config=false', ...(attach === 'tag' ? older : [])] : []
        await run(
          'sign',
          '--key',
          session.path('cosign.key'),
          ...upload,
          ...format,
          again.reference,
        )
        const policy = ['verify', '--key', 'cosign.pub', ...offline]
        expect(await session.run(...policy, again.reference)).toMatchObject({ code: 0 })
      },
    )

    it.each(forms)(
      'agrees with the spindle command about who signed without a key, attached as %s',
      { timeout: 60_000 },
      async (attach) => {
        const { reference } = await pushArtifact('the embedded registry')
        const sigstore = await createSigstoreInstance()
        const { fulcio, rekor, timestamp } = sigstore.services
        const hosts = [fulcio, rekor.url, timestamp].map((url) => new URL(url).host)
        const session = createSession((request) =>
          hosts.includes(new URL(request.url).host) ? sigstore.fetch(request) : fetch(request),
        )
        writeFileSync(file('root.json'), JSON.stringify(sigstore.trustedRoot()))
        const root = ['--trusted-root', file('root.json')]
        const services = ['--fulcio-url', fulcio, '--rekor-url', rekor.url]
        services.push('--timestamp-server-url', timestamp, ...root)
        const claims = { repository: 'team/app', ref: 'refs/heads/main' }
        const token = ['--identity-token', await sigstore.issueToken(claims)]
        const signed = ['sign', ...services, ...token, '--attach', attach, reference]
        expect(await session.run(...signed)).toMatchObject({ code: 0 })
        const by = ['verify', '--certificate-identity', 'dev@example.org', ...root]
        by.push('--certificate-oidc-issuer', sigstore.issuer, '--allow-insecure-registry')
        by.push('--output=json', reference)
        const theirs = await run(...by, ...(attach === 'tag' ? older : []))
        const ours = await session.run(...by)
        expect(ours).toMatchObject({ code: 0 })
        const [[said], [answer]] = [/^\[\{.*\}\]$/m.exec(theirs)![0], ours.stdout].map(
          (text) => JSON.parse(text) as { optional: object }[],
        ) as [[{ optional: object }], [{ optional: object }]]
        if (attach === 'tag') {
          expect(ours.stdout.trim()).toBe(/^\[\{.*\}\]$/m.exec(theirs)![0])
          expect(said.optional).toHaveProperty('Bundle')
        }
        // Of a bundle cosign does not say who signed it.
        expect(answer).toMatchObject(said)
        await expect(
          run(...by.map((flag) => flag.replace('dev@', 'other@')), ...older),
        ).rejects.toThrow()
      },
    )

    it.each(['sign', 'verify', 'generate-key-pair'])(
      'has no flag of %s that the spindle command does not know',
      async (name) => {
        const help = await run(name, '--help')
        const theirs = [...help.matchAll(/^\s+(?:-\w, )?(--[a-z0-9-]+)/gm)].map(([, flag]) => flag)
        expect(theirs.length).toBeGreaterThan(4)
        const command = createProgram(process as unknown as CliIo).commands.find(
          (one) => one.name() === name,
        )
        const ours = new Set(command?.options.map(({ long }) => long))
        expect(theirs.filter((flag) => flag !== '--help' && !ours.has(flag))).toEqual([])
      },
    )

    it('writes keys that we read', { timeout: 60_000 }, async () => {
      await run('generate-key-pair', '--output-key-prefix', 'theirs')
      const key = await importCosignKey(readFileSync(file('theirs.key'), 'utf8'), password)
      const signer = await createKeySigner(key)
      const { reference } = await pushArtifact('the embedded registry')
      await sign(reference, signer, { attach: 'both' })
      await verify(reference, {
        key: readFileSync(file('theirs.pub'), 'utf8'),
        requireTransparencyLog: false,
      })
    })
  },
)
