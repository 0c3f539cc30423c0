import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createComponentLogs } from '../../src/cli/up/component-logs.ts'
import type { CliIo } from '../../src/cli/terminal/io.ts'
import { COUNTERS } from './counters.ts'
import { start, textOf } from './running.ts'
import { createSession } from './session.ts'

/** Shows one line, on a terminal or not, and gives what was written. */
async function show(
  text: string,
  { isTTY = false, follow = undefined as readonly string[] | undefined, folder = '', id = 'one' },
): Promise<string> {
  let shown = ''
  const stderr = new Writable({ write: (chunk, _, done) => ((shown += String(chunk)), done()) })
  const io = {
    stderr: Object.assign(stderr, { isTTY }),
    env: { TERM: 'xterm' },
  } as unknown as CliIo
  const logs = await createComponentLogs(io, {
    follow,
    folder: folder === '' ? undefined : { path: folder, isGiven: true },
    truncate: false,
  })
  await logs.onLog({ component: id, stream: 'stdout', text })
  await logs.close()
  return shown
}

describe('what components print', () => {
  const red = '\u001b[1;31mred\u001b[0m end'

  it('has its colours on a terminal, up to the end of its line', async () => {
    expect(await show(red, { isTTY: true })).toContain(`${red}\u001b[0m\n`)
    expect(await show(red, {})).toBe('one: red end\n')
  })

  it.each(['\u001b[2J', '\u001b]0;title\u0007', '\u001b[1A', '\r', '\u009b31m', '\u202e'])(
    'does not move the cursor or more (%j)',
    async (code) => {
      const shown = await show(`a${code}b`, { isTTY: true })
      expect(shown).not.toContain(code)
      expect(shown).toContain('b\n')
    },
  )

  it('is shown of the components that are followed', async () => {
    expect(await show('text', { follow: ['one'] })).toBe('one: text\n')
    expect(await show('text', { follow: ['two'] })).toBe('')
  })

  it.each([
    ['one', 'one_stdout.txt'],
    ['a.b_c', 'a.b_c_stdout.txt'],
    ['../x:y', '..xy_stdout.txt'],
    ['..', '_stdout.txt'],
    ['con', '_stdout.txt'],
    ['ä'.repeat(200), `${'ä'.repeat(120)}_stdout.txt`],
  ])('of %s is kept in %s, as Spin names it', async (id, name) => {
    const folder = join(createSession().home, 'logs')
    await show(red, { folder, id })
    expect(readFileSync(join(folder, name), 'utf8')).toBe(`${red}\n`)
  })

  it('is kept below the folder of state, unless it is to be nowhere', async () => {
    const session = createSession()
    for (const [name, content] of COUNTERS)
      session.write(
        `app/${name}`,
        typeof content === 'string' ? content.replace('/kv/...', '/...') : content,
      )
    const app = session.path('app')
    const file = session.path('app/.spin/logs/keys_stderr.txt')
    const print = async (...args: string[]): Promise<void> => {
      const up = await start(session, 'up', '-f', app, ...args)
      await textOf(`${up.url}/log`)
      await up.stop()
    }
    await print('--log-dir', '')
    session.env['SPIN_LOG_DIR'] = ''
    await print()
    expect(existsSync(session.path('app/.spin/logs'))).toBe(false)
    delete session.env['SPIN_LOG_DIR']
    await print('-q')
    expect(readFileSync(file, 'utf8')).not.toBe('')
    session.write('app/.spin/logs/keys_stderr.txt', 'before\n')
    writeFileSync(session.path('app/.spin/logs/notes.md'), 'mine')
    await print('--truncate-logs')
    expect(readFileSync(file, 'utf8')).not.toContain('before')
    expect(readFileSync(session.path('app/.spin/logs/notes.md'), 'utf8')).toBe('mine')
  })

  it.each([
    [['--follow', 'none'], 'the application has no component "none" (--follow); it has keys, rows'],
    [['--follow', 'keys', '--quiet'], "cannot be used with option '--follow"],
    [['--truncate-logs', '--state-dir', ''], '--truncate-logs has no effect without a log folder'],
    [['--log-dir', 'file/x'], 'cannot write component logs to'],
  ])('is refused what can’t be (%j)', async (flags, message) => {
    const session = createSession()
    for (const [name, content] of COUNTERS) session.write(`app/${name}`, content)
    session.write('file', '')
    const { code, stderr } = await session.run('up', '-f', 'app', ...flags)
    expect(code).not.toBe(0)
    expect(stderr).toContain(message)
  })
})
