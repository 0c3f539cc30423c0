import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createNodeKeychain } from '../../src/node/credentials/keychain.ts'
import { createSession, type Session } from '../cli/session.ts'
import { missingRegistry, type RegistryProcess, startRegistry } from './docker-registry-process.ts'

const hello = fileURLToPath(new URL('../../examples/hello', import.meta.url))

function has(program: string, ...args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
const hasHtpasswd = has('htpasswd', '-Bbn', 'a', 'b')
const hasSkopeo = has('skopeo', '--version')
if (missingRegistry !== undefined) console.log(`left out: ${missingRegistry}`)
if (!hasHtpasswd) console.log('left out: the command line with a password, htpasswd is missing')
if (!hasSkopeo) console.log('left out: the command line beside skopeo, which is missing')

describe.skipIf(missingRegistry !== undefined || !hasHtpasswd)(
  'the command line and docker-registry with a password',
  { timeout: 30_000 },
  () => {
    let registry: RegistryProcess
    beforeAll(async () => {
      registry = await startRegistry({
        htpasswd: execFileSync('htpasswd', ['-Bbn', 'ann', 'pa:ss'], { encoding: 'utf8' }),
      })
    })
    afterAll(() => registry.stop())

    const login = (session: Session, password: string) =>
      session.runWith(
        { stdin: password },
        'registry',
        'login',
        registry.host,
        '-u',
        'ann',
        '--password-stdin',
      )

    it('refuses a push without login, and a wrong login', async () => {
      const session = createSession()
      const push = await session.run(
        'registry',
        'push',
        '-f',
        hello,
        `${registry.host}/team/hello:1`,
      )
      expect(push.code).toBe(1)
      expect(push.stderr).toContain('error[ERR_UNAUTHORIZED]')
      expect(push.stderr).toContain('spindle registry login')
      expect(await login(session, 'wrong')).toMatchObject({ code: 1, stdout: '' })
    })

    it('logs in, pushes, pushes again, copies, lists, pulls by digest and compares', async () => {
      const session = createSession()
      expect(await login(session, 'pa:ss\n')).toMatchObject({ code: 0, stderr: '' })
      const ref = `${registry.host}/team/hello:1`
      const push = await session.run('registry', 'push', '--json', '-f', hello, ref)
      expect(push).toMatchObject({ code: 0 })
      const { descriptor } = JSON.parse(push.stdout) as { descriptor: { digest: string } }
      const again = JSON.parse(
        (await session.run('registry', 'push', '--json', '-f', hello, ref)).stdout,
      ) as object
      expect(again).toMatchObject({ descriptor, sent: 0 })
      expect(
        await session.run('registry', 'copy', ref, `${registry.host}/mirror/hello:2`),
      ).toMatchObject({ code: 0 })
      expect((await session.run('registry', 'tags', `${registry.host}/mirror/hello`)).stdout).toBe(
        '2\n',
      )
      const pull = await session.run(
        'registry',
        'pull',
        `${registry.host}/mirror/hello@${descriptor.digest}`,
        '-o',
        session.path('out'),
      )
      expect(pull).toMatchObject({ code: 0 })
      expect(readFileSync(session.path('out/hello.wasm'))).toEqual(
        readFileSync(join(hello, 'hello.wasm')),
      )
      expect(readFileSync(session.path('out/assets/hello/static/index.html'))).toEqual(
        readFileSync(join(hello, 'static/index.html')),
      )
    })

    it.skipIf(!hasSkopeo)(
      'uses the login that skopeo wrote, and skopeo the layout that was pulled',
      async () => {
        const session = createSession()
        mkdirSync(session.path('run'))
        const env = { ...session.env, REGISTRY_AUTH_FILE: session.path('run/containers/auth.json') }
        mkdirSync(session.path('run/containers'))
        execFileSync(
          'skopeo',
          ['login', '--tls-verify=false', '-u', 'ann', '--password-stdin', registry.host],
          { env, input: 'pa:ss', stdio: ['pipe', 'ignore', 'pipe'] },
        )
        const scope = {
          registry: registry.host,
          repository: 'team/hello',
          actions: ['pull'] as const,
        }
        expect(await createNodeKeychain(session.options)(scope)).toEqual({
          username: 'ann',
          password: 'pa:ss',
        })
        const ref = `${registry.host}/team/skopeo:1`
        expect(await session.run('registry', 'push', '-f', hello, ref)).toMatchObject({ code: 0 })
        expect(
          await session.run('registry', 'pull', '--oci-layout', session.path('hello.tar'), ref),
        ).toMatchObject({ code: 0 })
        const inspected = execFileSync(
          'skopeo',
          ['inspect', '--raw', `oci-archive:${session.path('hello.tar')}:1`],
          { encoding: 'utf8' },
        )
        expect(inspected).toBe((await session.run('registry', 'manifest', ref)).stdout)
      },
    )
  },
)
