import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createRegistryHandler } from '../../../src/serve/registry/handler.ts'
import { createMemoryStorage } from '../../../src/serve/storage/memory.ts'
import { bytesOfFile } from '../../run/fixtures.ts'
import { start, textOf } from './running.ts'
import { createSession, type Session } from './session.ts'

const REF = 'localhost:5000/team/counters:1'

/** An application that counts: one component its requests, by key-value, one its rows, by SQLite. */
function writeCounters(session: Session): string {
  session.write('app/proxy.wasm', bytesOfFile('test/guests/proxy.wasm'))
  session.write('app/sqlite.wasm', bytesOfFile('test/guests/sqlite.wasm'))
  session.write(
    'app/spin.toml',
    `spin_manifest_version = 2
[application]
name = "counters"
version = "1.0.0"
[[trigger.http]]
route = "/kv/..."
component = "keys"
[[trigger.http]]
route = "/default"
component = "rows"
[component.keys]
source = "proxy.wasm"
key_value_stores = ["default", "other"]
[component.rows]
source = "sqlite.wasm"
sqlite_databases = ["default"]
`,
  )
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
        'Storing default key-value data to "app/.spin/key-value/default".',
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

  it('has no store for labels but the default one', async () => {
    const session = createSession()
    const up = await start(session, 'up', '-f', writeCounters(session))
    expect(await textOf(`${up.url}/kv/other`)).toBe('error 1\n')
    await up.stop()
  })
})
