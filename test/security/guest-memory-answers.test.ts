// A guest whose answer is a few bytes for each thing that its host makes of them.
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { describe, expect, it } from 'vitest'
import { createAppHandler } from '../../src/run/index.ts'
import { pulledApp } from '../run/fixtures.ts'
import { times } from '../run/hostile-guest.ts'

/** What a request to a core module comes to. */
async function ask(wat: string, config = {}, url = 'http://app.example/') {
  const log: string[] = []
  const handler = await createAppHandler(
    pulledApp({ guest: { wasm: await parse(wat) } }, [
      { route: '/...', component: 'guest', ...config },
    ]),
    { onLog: ({ text }) => log.push(text) },
  )
  const { status } = await handler.fetch(new Request(url))
  return { status, log: log.join('\n') }
}

const WAGI = { executor: { type: 'wagi' } }

/** A program that prints a text so many times, then an empty line. */
const printer = (text: string, count: number): string => `(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "${text.replaceAll('\n', '\\0a')}") (data (i32.const 60) "\\0a\\0a")
  (func (export "_start") (local $i i32)
    (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const ${text.length}))
    (i32.store (i32.const 8) (i32.const 60)) (i32.store (i32.const 12) (i32.const 2))
    ${times(count, '(drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))')}
    (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 32)))))`

describe('the headers of a WAGI program', () => {
  it('are refused when they are too long, before they are taken apart', async () => {
    const { status, log } = await ask(printer('content-type: a\n', 1_000_000), WAGI)
    expect(status).toBe(500)
    expect(log).toMatch(/more than 131072 bytes of headers.*ERR_LIMIT_EXCEEDED/)
  })

  it('may be followed by a long body', async () => {
    const { status } = await ask(printer('status: 201\n\n', 100_000), WAGI)
    expect(status).toBe(201)
  })
})

describe('the arguments of a WAGI program', () => {
  const query = 'x'.repeat(8000)

  it('are refused when a template makes them too long', async () => {
    const argv = '${ARGS} '.repeat(100_000)
    const { status, log } = await ask(
      printer('status: 200\n', 1),
      { executor: { ...WAGI.executor, argv } },
      `http://app.example/?${query}`,
    )
    expect(status).toBe(500)
    expect(log).toMatch(/arguments .*longer than \d+ characters.*argv.*ERR_LIMIT_EXCEEDED/)
  })
})

describe('the headers that a core module answers with', () => {
  const answer = (headers: number): string => `(module
    (memory (export "memory") 64)
    (data (i32.const 64) "x-a")
    (func (export "canonical_abi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "handle-http-request") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (local $i i32)
      ${times(
        headers,
        `(i32.store (i32.add (i32.const 65536) (i32.mul (local.get $i) (i32.const 16))) (i32.const 64))
         (i32.store (i32.add (i32.const 65540) (i32.mul (local.get $i) (i32.const 16))) (i32.const 3))`,
      )}
      (i32.store16 (i32.const 0) (i32.const 200)) (i32.store8 (i32.const 4) (i32.const 1))
      (i32.store (i32.const 8) (i32.const 65536)) (i32.store (i32.const 12) (i32.const ${headers}))
      (i32.const 0)))`

  it('are refused when there are too many', async () => {
    const { status, log } = await ask(answer(200_000))
    expect(status).toBe(500)
    expect(log).toMatch(/more than 10000 headers.*ERR_LIMIT_EXCEEDED/)
  })

  it('may be a thousand', async () => {
    expect(await ask(answer(1000))).toEqual({ status: 200, log: '' })
  })
})
