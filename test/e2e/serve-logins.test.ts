import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createSession, type Session } from '../cli/session.ts'
import { writeApp } from '../cli/small-app.ts'

function has(program: string, ...args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
const present = has('htpasswd', '-Bbn', 'a', 'b') && has('skopeo', '--version')
if (!present) console.log('left out: logins to "spindle serve", skopeo or htpasswd is missing')

describe.skipIf(!present)('skopeo and a registry with users', { timeout: 60_000 }, () => {
  const run = (...args: string[]): Promise<{ stdout: string }> =>
    promisify(execFile)('skopeo', args)

  /** Runs `spindle serve` until `work` is done with its host. */
  async function served(session: Session, work: (host: string) => Promise<void>): Promise<void> {
    // One of the cost that htpasswd has by itself, one of another.
    const ann = execFileSync('htpasswd', ['-Bbn', 'ann', 'pa:ss'], { encoding: 'utf8' })
    const bob = execFileSync('htpasswd', ['-bnBC', '8', 'bob', 'other'], { encoding: 'utf8' })
    session.write('users', `${ann.trim()}\n${bob.trim()}\n`)
    const stop = new AbortController()
    let done: Promise<void> | undefined
    await session.runWith(
      {
        signal: stop.signal,
        onStdout: (text) => {
          const { url } = JSON.parse(text) as { url: string }
          done = work(new URL(url).host).finally(() => stop.abort())
          done.catch(() => {})
        },
      },
      ...['serve', '--address', '127.0.0.1:0', '--htpasswd-file', 'users', '--json'],
    )
    await done
  }

  const login = (
    session: Session,
    host: string,
    user: string,
    password: string,
  ): Promise<{ stdout: string }> =>
    run(
      ...['login', '--tls-verify=false', '--authfile', session.path('auth.json')],
      ...['-u', user, '-p', password, host],
    )

  it('logs in with a password of the file, and with no other', async () => {
    const session = createSession()
    await served(session, async (host) => {
      const refused = /invalid username|unauthorized/i
      await expect(login(session, host, 'ann', 'wrong')).rejects.toThrow(refused)
      await expect(login(session, host, 'nobody', 'pa:ss')).rejects.toThrow(refused)
      for (const [user, password] of [
        ['bob', 'other'],
        ['ann', 'pa:ss'],
      ] as const)
        expect((await login(session, host, user, password)).stdout).toContain('Login Succeeded')
    })
  })

  it('copies what was pushed out and in again, and is refused without a login', async () => {
    const session = createSession()
    await served(session, async (host) => {
      writeApp(session)
      await session.run('registry', 'login', host, '-u', 'bob', '-p', 'other')
      const pushed = await session.run('registry', 'push', '-f', 'app', `${host}/team/app:1`)
      expect(pushed).toMatchObject({ code: 0 })
      await login(session, host, 'ann', 'pa:ss')
      const at = (name: string): string => `docker://${host}/team/${name}:1`
      const layout = `oci:${session.path('layout')}:1`
      const auth = ['--authfile', session.path('auth.json')]
      const copy = ['--insecure-policy', 'copy']
      await run(...copy, '--src-tls-verify=false', ...auth, at('app'), layout)
      await run(...copy, '--dest-tls-verify=false', ...auth, layout, at('copy'))
      const inspect = ['inspect', '--raw', '--tls-verify=false', ...auth]
      const manifest = async (name: string): Promise<string> =>
        (await run(...inspect, at(name))).stdout
      expect(await manifest('copy')).toBe(await manifest('app'))
      const none = ['--authfile', session.write('none.json', {})]
      await expect(
        run(...copy, '--dest-tls-verify=false', ...none, layout, at('no')),
      ).rejects.toThrow(/unauthorized|authentication required/i)
    })
  })
})
