import { cpSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createBindleHandler } from '../../src/serve/bindle/handler.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { exportCosignKey } from '../../src/trust/keys/cosign-key.ts'
import { generateKeyPair } from '../../src/trust/keys/private-key.ts'
import { hello, OLD_MANIFEST } from '../cli/hello.ts'
import { createSession, type Run, type Session } from '../cli/session.ts'
import { blocksOf, readDocument } from './blocks.ts'

interface Line {
  readonly words: readonly string[]
  /** What follows `#`. */
  readonly comment: string
}

/** The commands of a document's block, the one that has `mark` in it. */
function linesOf(document: string, mark: string): readonly Line[] {
  const found = blocksOf(readDocument(document)).filter(
    ({ language, text }) => language === 'sh' && text.includes(mark),
  )
  expect(found).toHaveLength(1)
  return found[0]!.text
    .trim()
    .split('\n')
    .map((line) => {
      const [command = '', comment = ''] = line.split(/\s+# /)
      const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(
        ([, quoted, bare]) => quoted ?? bare!,
      )
      return { words, comment }
    })
}

/** A user with an application in the folder, a Bindle server and a registry. */
async function createUser(): Promise<Session> {
  const bindle = createBindleHandler({ storage: createMemoryStorage() })
  const registry = createRegistryHandler()
  const session = createSession(async (request) => {
    const { host } = new URL(request.url)
    if (host === '127.0.0.1:8000') return bindle.fetch(request)
    expect(host).toBe('ghcr.io')
    return registry.fetch(request)
  })
  for (const name of readdirSync(hello))
    cpSync(join(hello, name), session.path(name), { recursive: true })
  session.write('spin.toml', OLD_MANIFEST)
  session.env['COSIGN_PASSWORD'] = 'pass'
  session.write('cosign.key', await exportCosignKey((await generateKeyPair()).privateKey, 'pass'))
  return session
}

/** Types a line as a shell does: what it sets stays set, what serves is stopped once it serves. */
async function type(session: Session, { words }: Line): Promise<Run | undefined> {
  const [program, ...args] = words
  if (program === 'export') {
    const [name = '', value = ''] = args[0]!.split('=', 2)
    session.env[name] = value
    return undefined
  }
  // The server is there: bindle-server.test.ts starts it with these flags.
  if (program === 'bindle-server') return undefined
  expect(program).toBe('spindle')
  if (args[0] !== 'up') return session.run(...args)
  const stop = new AbortController()
  const onStdout = (text: string): void => {
    if (text.includes('Serving')) stop.abort()
  }
  return session.runWith({ signal: stop.signal, onStdout }, ...args, '--listen', '127.0.0.1:0')
}

async function typeAll(session: Session, lines: readonly Line[]): Promise<void> {
  for (const line of lines) {
    const run = await type(session, line)
    if (run === undefined) continue
    expect(run, `${line.words.join(' ')}: ${run.stderr}`).toMatchObject({ code: 0 })
    // A comment that quotes an answer is held to it.
    if (line.comment.startsWith('pushed: ')) expect(run.stdout).toBe(`${line.comment}\n`)
  }
}

describe('what a shell block says', () => {
  it("works as it stands: the README's of Bindle", async () => {
    const lines = linesOf('README.md', 'bindle-server')
    expect(lines.length).toBeGreaterThan(8)
    await typeAll(await createUser(), lines)
  })

  it('works as it stands: that of the way from Bindle to a registry', async () => {
    const session = await createUser()
    const at = ['--bindle-server', 'http://127.0.0.1:8000/v1']
    expect(await session.run('bindle', 'push', '-f', 'spin.toml', ...at)).toMatchObject({ code: 0 })
    const lines = linesOf('docs/migrating-from-bindle.md', 'bindle migrate')
    expect(lines.length).toBeGreaterThan(5)
    await typeAll(session, lines)
  })
})
