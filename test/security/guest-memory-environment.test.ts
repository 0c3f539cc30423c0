// A manifest with a large environment, encoded again for each request of a program.
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { expect, it } from 'vitest'
import { createAppHandler } from '../../src/run/index.ts'
import { pulledApp } from '../run/fixtures.ts'
import { BEYOND, MiB } from '../run/hostile-guest.ts'

it('an environment is paid by the request of a program that asks for it', async () => {
  const wasm = await parse(`(module
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start") (drop (call $sizes (i32.const 0) (i32.const 4)))))`)
  const env = { LONG: 'x'.repeat(4 * MiB) }
  const log: string[] = []
  const handler = await createAppHandler(
    pulledApp({ guest: { wasm, env } }, [
      { route: '/...', component: 'guest', executor: { type: 'wagi' } },
    ]),
    { maxMemory: 2 * MiB, onLog: ({ text }) => void log.push(text) },
  )
  const { status } = await handler.fetch(new Request('http://app.example/'))
  expect(status).toBe(500)
  expect(log.join('\n')).toMatch(BEYOND)
})
