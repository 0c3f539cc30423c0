import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { COUNTERS } from './counters.ts'
import { start, textOf } from './running.ts'
import { createSession, type Session } from './session.ts'

const REF = 'localhost:5000/team/counters:1'

function writeCounters(session: Session): string {
  for (const [name, content] of COUNTERS) session.write(`app/${name}`, content)
  return session.path('app')
}

/** What both have counted to, this once included, and what is said at the start. */
async function count(session: Session, ...args: string[]): Promise<[string, string, string[]]> {
  const up = await start(session, ...args)
  const keys = await textOf(`${up.url}/kv/default`)
  const rows = await textOf(`${up.url}/default`)
  await up.stop()
  const said = up.lines().split('\n')
  return [
    keys.trim(),
    /,n,(\d+)\|/.exec(rows)?.[1] ?? rows,
    said.filter((line) => line.startsWith('Storing')),
  ]
}

describe('what components store', () => {
  it("is kept beside a local application's manifest", async () => {
    const session = createSession()
    const app = writeCounters(session)
    expect(await count(session, 'up', '-f', app)).toEqual([
      'count 1',
      '1',
      [
        'Storing default key-value data to "app/.spin/sqlite_key_value.db".',
        'Storing default SQLite data to "app/.spin/sqlite_db.db".',
      ],
    ])
    expect((await count(session, 'up', '-f', app)).slice(0, 2)).toEqual(['count 2', '2'])
    expect(readFileSync(session.path('app/.spin/sqlite_db.db'), 'latin1')).toMatch(
      /^SQLite format 3\0/,
    )
  })

  it('is forgotten with an empty --state-dir', async () => {
    const session = createSession()
    const app = writeCounters(session)
    for (const _ of [1, 2])
      expect(await count(session, 'up', '-f', app, '--state-dir', '')).toEqual(['count 1', '1', []])
    expect(existsSync(session.path('app/.spin'))).toBe(false)
  })

  it.each([
    ['up', '--from', REF],
    ['registry', 'run', REF],
  ])('of a registry is kept in the folder that is given, by %s %s %s', async (...command) => {
    const { fetch } = createRegistryHandler({ storage: createMemoryStorage() })
    const session = createSession(fetch)
    await session.run('registry', 'push', '-f', writeCounters(session), REF)
    expect(await count(session, ...command)).toEqual(['count 1', '1', []])
    expect(await count(session, ...command)).toEqual(['count 1', '1', []])
    const kept = [...command, '--state-dir', 'state']
    expect((await count(session, ...kept)).slice(0, 2)).toEqual(['count 1', '1'])
    expect((await count(session, ...kept)).slice(0, 2)).toEqual(['count 2', '2'])
  })

  it.each([
    [
      'key_value_stores = ["default"]',
      'key_value_stores = ["default", "other"]',
      'unknown key_value_stores label "other" for component "keys"',
    ],
    [
      'sqlite_databases = ["default"]',
      'sqlite_databases = ["more"]',
      "- Component rows uses database 'more'",
    ],
  ])(
    'fails at the start where nothing is behind a label, as Spin (%s → %s)',
    async (from, to, message) => {
      const session = createSession()
      const app = writeCounters(session)
      const manifest = readFileSync(join(app, 'spin.toml'), 'utf8')
      session.write('app/spin.toml', manifest.replace(from, to))
      const { code, stderr } = await session.run('up', '-f', app)
      expect(code).toBe(1)
      expect(stderr).toContain(message)
    },
  )

  it('is told of values that an earlier version has left', async () => {
    const session = createSession()
    const app = writeCounters(session)
    session.write('app/.spin/key-value/default/x', '')
    const up = await start(session, 'up', '-f', app)
    expect((await up.stop()).stderr).toMatch(
      /holds values of an earlier version, which are not read/,
    )
  })
})
