// A guest of WASI 0.3 that makes its host hold what passes through its futures and streams.
import { describe, expect, it } from 'vitest'
import { attack, BEYOND, hostileGuest3, times } from '../run/hostile-guest.ts'

const HTTP = 'wasi:http/types@0.3.0'
const RESPONSE = '[static]response.new'
const CONSUME = '[static]response.consume-body'

const IMPORTS = [
  `"${HTTP}" "[constructor]fields" (func $fields (result i32))`,
  `"${HTTP}" "${RESPONSE}" (func $response (param i32 i32 i32 i32 i32))`,
  `"${HTTP}" "[future-new-1]${RESPONSE}" (func $trailers (result i64))`,
  `"${HTTP}" "[async-lower][future-write-1]${RESPONSE}" (func $writeTrailers (param i32 i32) (result i32))`,
  `"${HTTP}" "${CONSUME}" (func $consume (param i32 i32 i32))`,
  `"${HTTP}" "[future-new-0]${CONSUME}" (func $outcome (result i64))`,
  `"${HTTP}" "[async-lower][future-write-0]${CONSUME}" (func $writeOutcome (param i32 i32) (result i32))`,
  `"wasi:cli/stdout@0.3.0" "write-via-stream" (func $print (param i32) (result i32))`,
  `"wasi:cli/stdout@0.3.0" "[stream-new-0]write-via-stream" (func $printed (result i64))`,
  `"wasi:cli/stdout@0.3.0" "[async-lower][stream-write-0]write-via-stream" (func $writePrinted (param i32 i32 i32) (result i32))`,
  `"wasi:cli/stdout@0.3.0" "[future-drop-readable-1]write-via-stream" (func $dropPrinted (param i32))`,
  `"wasi:clocks/monotonic-clock@0.3.0" "[async-lower]wait-for" (func $wait (param i64) (result i32))`,
]

const LOW = '(i32.wrap_i64 (local.get $l))'
const HIGH = '(i32.wrap_i64 (i64.shr_u (local.get $l) (i64.const 32)))'

/** `err(internal-error(some(text)))` at 512, the text of so many bytes. */
const failure = (bytes: number): string => `
  (memory.fill (i32.const 4096) (i32.const 65) (i32.const ${bytes}))
  (i32.store8 (i32.const 512) (i32.const 1)) (i32.store8 (i32.const 520) (i32.const 38))
  (i32.store8 (i32.const 528) (i32.const 1)) (i32.store (i32.const 532) (i32.const 4096))
  (i32.store (i32.const 536) (i32.const ${bytes}))`

/** A response that nobody sends, kept in `$r`. */
const response = `(local.set $l (call $trailers))
  (call $response (call $fields) (i32.const 0) (i32.const 0) ${LOW} (i32.const 16))
  (local.set $r (i32.load (i32.const 16)))`

describe('a guest of WASI 0.3 is ended that makes its host hold', () => {
  it.each([
    [
      'long texts of errors that nobody asks for',
      {
        pages: 80,
        code: `${failure(4_000_000)} ${times(
          50,
          `${response} (local.set $l (call $outcome))
           (call $consume (local.get $r) ${LOW} (i32.const 32))
           (drop (call $writeOutcome ${HIGH} (i32.const 512)))`,
        )}`,
      },
    ],
    [
      'streams to print that nobody writes',
      {
        code: times(
          1_000_000,
          `(local.set $l (call $printed)) (call $dropPrinted (call $print ${LOW}))`,
        ),
      },
    ],
    [
      'what it prints by many streams at once',
      {
        code: times(
          2000,
          `(local.set $l (call $printed)) (call $dropPrinted (call $print ${LOW}))
           (drop (call $writePrinted ${HIGH} (i32.const 4096) (i32.const 65536)))`,
        ),
      },
    ],
    ['responses', { code: times(1_000_000, response) }],
    ['futures', { code: times(1_000_000, '(drop (call $trailers))') }],
    ['waits', { code: times(1_000_000, '(drop (call $wait (i64.const 1000000000000)))') }],
  ])('%s', async (_, guest) => {
    const { status, log } = await attack(await hostileGuest3({ imports: IMPORTS, ...guest }), {
      jspi: false,
    })
    expect(status).toBe(500)
    expect(log).toMatch(BEYOND)
  })
})
