import { beforeAll, describe, expect, it } from 'vitest'
import { createAppHandler, type LogLine } from '../../src/run/index.ts'
import type { FetchHandler } from '../../src/types.ts'
import { bytesOfFile, pulledApp } from '../run/fixtures.ts'

const MiB = 1024 * 1024

/** What a guest does, and what its host's log says of it. */
const CRIMES: ReadonlyArray<readonly [path: string, said: RegExp]> = [
  ['/unreachable', /unreachable/],
  ['/divide', /divide by zero/],
  ['/outside', /out of bounds/],
  ['/recurse', /call stack/],
  ['/bomb', /unreachable/],
  ['/wild-text', /outside|out of bounds|beyond/],
  ['/endless-text', /a string of 4294967295 bytes/],
  ['/endless-list', /outside|out of bounds|beyond/],
  ['/not-utf8', /not utf-8/],
  ['/wild-result', /outside|out of bounds|beyond/],
  ['/odd-result', /align/],
  ['/forged', /handle/],
  ['/mistaken', /handle|resource/],
  ['/dropped', /handle/],
  ['/dropped-twice', /handle/],
  ['/twice', /handle/],
]

describe('a guest that breaks the rules', () => {
  const log: LogLine[] = []
  let handler: FetchHandler
  const get = (path: string): Promise<Response> =>
    handler.fetch(new Request(`http://app.example${path}`))
  beforeAll(async () => {
    handler = await createAppHandler(
      pulledApp({ guest: { wasm: bytesOfFile('test/guests/hostile.wasm') } }, [
        { route: '/...', component: 'guest' },
      ]),
      { maxMemory: 16 * MiB, onLog: (line) => log.push(line) },
    )
  })

  it.each(CRIMES)('is ended, the log says why, and others go on: %s', async (path, said) => {
    log.length = 0
    const response = await get(path)
    // Where the guest answered before it broke a rule, its answer stands.
    expect(response.status).toBe(path === '/twice' ? 200 : 500)
    expect(await response.text()).toBe('')
    if (path !== '/twice')
      expect(log.map(({ stream, text }) => `${stream} ${text}`)).toEqual([
        expect.stringMatching(said),
      ])
    expect((await get('/')).status).toBe(200)
  })

  it('can read what is lent to it, and not change it', async () => {
    expect((await get('/borrowed')).status).toBe(200)
  })

  it('shows nobody who asks why it failed', async () => {
    const response = await get('/forged')
    expect([...response.headers]).toEqual([])
    expect(await response.text()).toBe('')
  })
})
