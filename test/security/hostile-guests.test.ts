import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
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

describe('a core module of Spin 0.x', () => {
  /** What the log says of a response with so many headers, each name and value so long. */
  const answer = async (count: number, length: number): Promise<string> => {
    const log: string[] = []
    const wasm = await parse(`(module (memory (export "memory") 64)
      (func (export "canonical_abi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 3000000))
      (func (export "handle-http-request") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
        (local $i i32)
        (loop $l
          (i32.store (i32.add (i32.const 64) (i32.mul (local.get $i) (i32.const 8))) (i32.const 65536))
          (i32.store (i32.add (i32.const 68) (i32.mul (local.get $i) (i32.const 8))) (i32.const ${length}))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $l (i32.lt_u (local.get $i) (i32.const ${count * 2}))))
        (i32.store16 (i32.const 0) (i32.const 200))
        (i32.store8 (i32.const 4) (i32.const 1))
        (i32.store (i32.const 8) (i32.const 64))
        (i32.store (i32.const 12) (i32.const ${count}))
        (i32.const 0)))`)
    const handler = await createAppHandler(
      pulledApp({ guest: { wasm } }, [{ route: '/...', component: 'guest' }]),
      { onLog: ({ text }) => log.push(text) },
    )
    expect((await handler.fetch(new Request('http://app.example/'))).status).toBe(500)
    return log.join('\n')
  }

  it('can’t make the host copy what lies over itself without end', async () => {
    const said = await answer(1000, 2_000_000)
    expect(said.slice(0, 200)).toMatch(/more than 134217728 bytes out of memory/)
  })

  it('can’t fill the log with what it answers', async () => {
    const said = await answer(1, 2_000_000)
    expect(said.slice(0, 100)).toMatch(/invalid header/)
    expect(said.length).toBeLessThan(1000)
  })
})
