import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createSession, type Session } from './session.ts'

const isRoot = process.geteuid?.() === 0
const LOGIN = ['registry', 'login', 'localhost:5000', '-u', 'ann', '-p', 'x']

/** A folder that nobody can write to; root can write everywhere, so the process becomes nobody. */
function close(session: Session, folder: string): void {
  mkdirSync(session.path(folder), { recursive: true })
  chmodSync(session.path(folder), 0o555)
  chmodSync(session.home, 0o755)
  if (isRoot) process.seteuid?.(65534)
}
afterEach(() => {
  if (isRoot) process.seteuid?.(0)
})

describe('a system error about a file', () => {
  it('names the login file and the variable that moves it', async () => {
    const session = createSession(createRegistryHandler().fetch)
    session.env['XDG_CONFIG_HOME'] = session.path('config')
    close(session, 'config')
    const { code, stderr } = await session.run(...LOGIN)
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        `error: cannot create the folder ${session.path('config/fermyon')}: permission denied (EACCES)\n` +
        `  hint: check the permissions of ${session.path('config/fermyon')}, or set XDG_CONFIG_HOME to a folder that you can write to\n`,
    })
  })

  it('names the file that is written, not the temporary file beside it', async () => {
    const session = createSession(createRegistryHandler().fetch)
    session.env['XDG_CONFIG_HOME'] = session.path('config')
    close(session, 'config/fermyon')
    const { stderr } = await session.run(...LOGIN)
    expect(stderr).toContain(
      `cannot write ${session.path('config/fermyon/registry-auth.json')}: permission denied (EACCES)\n`,
    )
    expect(stderr).toContain(`hint: check the permissions of ${session.path('config/fermyon')}, or`)
  })

  it('names the flag that named the place', async () => {
    const session = createSession()
    close(session, 'closed')
    const { code, stderr } = await session.run(
      ...['bindle', 'keys', 'create', 'Ann', '-f', 'closed/keys.toml'],
    )
    expect(code).toBe(1)
    expect(stderr).toContain(`cannot write ${session.path('closed/keys.toml')}: permission denied`)
    expect(stderr).toContain('or name another location with --secrets-file')
  })

  it.each([
    [['verify', '--key', 'folder', 'localhost:5000/a:1'], 'it is a folder (EISDIR)'],
    [
      ['generate-key-pair', '--output-key-prefix', 'file/a'],
      'a part of the path is a file (ENOTDIR)',
    ],
    [
      ['generate-key-pair', '--output-key-prefix', 'none/a'],
      'there is no such file or folder (ENOENT)',
    ],
  ])('is shown in words, of %j', async (args, reason) => {
    const session = createSession()
    session.env['COSIGN_PASSWORD'] = ''
    mkdirSync(session.path('folder'))
    writeFileSync(session.path('file'), '')
    const { code, stderr } = await session.run(...args)
    expect(code).toBe(1)
    expect(stderr).toContain(reason)
    expect(stderr).not.toMatch(/error: E[A-Z]+:/)
  })
})
