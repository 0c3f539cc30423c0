import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { manifestOf } from '../fixtures/manifest.ts'
import { bytesOfFile } from '../run/fixtures.ts'
import { start, textOf } from './running.ts'
import { createSession, type Session } from './session.ts'

const REF = 'localhost:5000/team/counter:1'
const CACHE = 'cache/spin/registry'

/** A registry with an application, which has been run here once; `lost` has it forget its contents. */
async function ranOnce(): Promise<{ session: Session; gets: string[]; lost: () => void }> {
  const { fetch } = createRegistryHandler({ storage: createMemoryStorage() })
  const gets: string[] = []
  let isLost = false
  const session = createSession(async (request) => {
    const { pathname } = new URL(request.url)
    if (request.method !== 'GET' || !pathname.includes('/blobs/')) return fetch(request)
    gets.push(pathname)
    return isLost ? new Response(null, { status: 404 }) : fetch(request)
  })
  session.write('app/proxy.wasm', bytesOfFile('test/guests/proxy.wasm'))
  const more = 'key_value_stores = ["default"]'
  session.write('app/spin.toml', manifestOf({ name: 'counter', source: 'proxy.wasm', more }))
  await session.run('registry', 'push', '-f', session.path('app'), REF)
  const up = await start(session, 'up', '--from', REF)
  await up.stop()
  gets.length = 0
  return { session, gets, lost: () => (isLost = true) }
}

/** Has the component in the cache say something else, in as many bytes. */
function tamper(session: Session): void {
  const folder = session.path(join(CACHE, 'wasm'))
  const [name = ''] = readdirSync(folder)
  const path = join(folder, name)
  const text = readFileSync(path, 'latin1')
  const other = text.replaceAll('count ', 'bogus ')
  expect(other).not.toBe(text)
  writeFileSync(path, other, 'latin1')
}

describe.each([
  ['up', '--from', REF],
  ['registry', 'run', REF],
])('%s %s %s', (...command) => {
  it('fetches again what does not fit its digest in the cache', async () => {
    const { session, gets } = await ranOnce()
    tamper(session)
    const up = await start(session, ...command)
    expect(await textOf(`${up.url}/kv/default`)).toBe('count 1\n')
    await up.stop()
    expect(gets).toHaveLength(1)
    const again = await start(session, ...command)
    await again.stop()
    expect(gets).toHaveLength(1)
  })

  it('runs nothing when that can not be fetched', async () => {
    const { session, lost } = await ranOnce()
    tamper(session)
    lost()
    const { code, stdout, stderr } = await session.run(...command)
    expect(code).toBe(1)
    expect(stdout).not.toContain('Serving')
    expect(stderr).toMatch(/error\[ERR_NOT_FOUND\]: /)
  })
})
