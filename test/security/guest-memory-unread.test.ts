// Clients that ask for long answers and don't read them: each is in the host's memory until they do.
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { describe, expect, it } from 'vitest'
import { createAppHandler } from '../../src/run/index.ts'
import { pulledApp } from '../run/fixtures.ts'
import { hostileGuest, times } from '../run/hostile-guest.ts'

const REQUESTS = 12

/** A WAGI program whose body has so many bytes. */
const program = (bytes: number): Promise<Uint8Array> =>
  parse(`(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 40)
  (data (i32.const 64) "status: 200\\0a\\0a")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 13))
    (i32.store (i32.const 8) (i32.const 128)) (i32.store (i32.const 12) (i32.const ${bytes}))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 2) (i32.const 32)))))`)

/** The same of a component that can't wait until its body is read. */
const component = (bytes: number): Promise<Uint8Array> =>
  hostileGuest({
    uses: ['fields', 'response', 'responseBody', 'bodyStream', 'write', 'finish', 'answer'],
    pages: 40,
    code: `(local.set $r (call $response (call $fields)))
      (call $responseBody (local.get $r) (i32.const 0))
      (local.set $j (i32.load (i32.const 4)))
      (call $bodyStream (local.get $j) (i32.const 0)) (local.set $s (i32.load (i32.const 4)))
      ${times(bytes / 1000, '(call $write (local.get $s) (i32.const 1024) (i32.const 1000) (i32.const 0))')}
      (call $finish (local.get $j) (i32.const 0) (i32.const 0) (i32.const 0))
      (call $answer (local.get $out) (i32.const 0) (local.get $r) (i32.const 0) (i32.const 0) (i32.const 0))`,
  })

async function start(wasm: Uint8Array, config: object) {
  const handler = await createAppHandler(
    pulledApp({ guest: { wasm } }, [{ route: '/...', component: 'guest', ...config }]),
    { concurrency: 2, jspi: false },
  )
  return () => handler.fetch(new Request('http://app.example/'))
}

const WAGI = { executor: { type: 'wagi' } }

describe.each([
  ['a WAGI program', program, WAGI],
  ['a component', component, {}],
] as const)('an answer of %s', (_, make, config) => {
  it('that is long is held for as many clients as others could run', async () => {
    const ask = await start(await make(1_000_000), config)
    const responses = []
    for (let i = 0; i < REQUESTS; i++) responses.push(await ask())
    const bodies = await Promise.allSettled(responses.map((response) => response.arrayBuffer()))
    expect(bodies.filter(({ status }) => status === 'fulfilled')).toHaveLength(4)
    // Those who asked last.
    expect(bodies.at(-1)?.status).toBe('fulfilled')
    for (let i = 0; i < REQUESTS; i++)
      expect((await (await ask()).arrayBuffer()).byteLength).toBe(1_000_000)
  })

  it('that is short waits for any number of them', async () => {
    const ask = await start(await make(10_000), config)
    const responses = []
    for (let i = 0; i < REQUESTS; i++) responses.push(await ask())
    for (const response of responses) expect((await response.arrayBuffer()).byteLength).toBe(10_000)
  })
})
