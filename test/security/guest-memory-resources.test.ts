// A guest that makes its host hold things: one more of each than its memory may be.
import { describe, expect, it } from 'vitest'
import { attack, BEYOND, hostileGuest, times, type HostileGuest } from '../run/hostile-guest.ts'

const FILL = (pages: number): string =>
  `(memory.fill (i32.const 1024) (i32.const 65) (i32.const ${(pages - 1) * 65_536}))`
const NAME = '(i32.store8 (i32.const 512) (i32.const 120))'

/** A body with a stream to write into, kept in `$s`. */
const body = (kind: 'response' | 'request'): string => `
  (local.set $r (call $${kind} (call $fields)))
  (call $${kind}Body (local.get $r) (i32.const 0))
  (call $bodyStream (i32.load (i32.const 4)) (i32.const 0))
  (local.set $s (i32.load (i32.const 4)))`
const write = (bytes: number): string =>
  `(call $write (local.get $s) (i32.const 1024) (i32.const ${bytes}) (i32.const 0))`

const ATTACKS: ReadonlyArray<readonly [what: string, guest: HostileGuest]> = [
  [
    'bodies of responses that are never sent',
    {
      uses: ['fields', 'response', 'responseBody', 'bodyStream', 'write'],
      pages: 20,
      code: times(10, body('response') + times(30, write(1_000_000), '$j')),
    },
  ],
  [
    'bodies of requests that are never sent',
    {
      uses: ['fields', 'request', 'requestBody', 'bodyStream', 'write'],
      pages: 20,
      code: times(10, body('request') + times(30, write(1_000_000), '$j')),
    },
  ],
  [
    'bodies without a byte',
    {
      uses: ['fields', 'response', 'responseBody'],
      code: times(100_000, '(call $responseBody (call $response (call $fields)) (i32.const 0))'),
    },
  ],
  [
    'trailers of bodies that are never sent',
    {
      uses: ['fields', 'response', 'responseBody', 'finish', 'append'],
      code: `${FILL(2)} ${NAME} ${times(
        2000,
        `(local.set $s (call $fields))
         (call $append (local.get $s) (i32.const 512) (i32.const 1) (i32.const 1024) (i32.const 60000) (i32.const 0))
         (call $responseBody (call $response (call $fields)) (i32.const 0))
         (call $finish (i32.load (i32.const 4)) (i32.const 1) (local.get $s) (i32.const 0))`,
      )}`,
    },
  ],
  ['fields', { uses: ['fields'], code: times(1_000_000, '(drop (call $fields))') }],
  [
    'fields that are full',
    {
      uses: ['fields', 'append'],
      code: `${FILL(2)} ${NAME} ${times(
        2000,
        `(call $append (call $fields) (i32.const 512) (i32.const 1) (i32.const 1024) (i32.const 60000) (i32.const 0))`,
      )}`,
    },
  ],
  [
    'short fields',
    {
      uses: ['fields', 'append'],
      code: `${FILL(2)} ${NAME} ${times(
        1000,
        `(local.set $r (call $fields)) ${times(
          300,
          '(call $append (local.get $r) (i32.const 512) (i32.const 1) (i32.const 1024) (i32.const 1) (i32.const 0))',
          '$j',
        )}`,
      )}`,
    },
  ],
  [
    'long paths',
    {
      uses: ['fields', 'request', 'path'],
      pages: 100,
      code: `${FILL(100)} ${times(
        100,
        '(drop (call $path (call $request (call $fields)) (i32.const 1) (i32.const 1024) (i32.const 4000000)))',
      )}`,
    },
  ],
  [
    'timers',
    { uses: ['timer'], code: times(1_000_000, '(drop (call $timer (i64.const 1000000000000)))') },
  ],
  ['request options', { uses: ['options'], code: times(1_000_000, '(drop (call $options))') }],
  [
    'millions of empty lists',
    {
      uses: ['fields', 'set'],
      pages: 300,
      code: `${NAME} (call $set (call $fields) (i32.const 512) (i32.const 1) (i32.const 1024) (i32.const 2000000) (i32.const 0))`,
    },
  ],
  [
    'what it prints of a line that never ends, by many streams',
    {
      uses: ['stderr', 'write'],
      code: `${FILL(2)} ${times(2000, `(local.set $s (call $stderr)) ${write(60_000)}`)}`,
    },
  ],
]

describe('a guest is ended that makes its host hold', () => {
  it.each(ATTACKS)('%s', async (_, guest) => {
    const { status, log } = await attack(await hostileGuest(guest), { jspi: false })
    expect(status).toBe(500)
    expect(log).toMatch(BEYOND)
  })
})

describe('a guest goes on', () => {
  it.each<readonly [string, HostileGuest]>([
    [
      'that writes a body byte by byte',
      {
        uses: ['fields', 'response', 'responseBody', 'bodyStream', 'write', 'answer'],
        code: `${body('response')} ${times(1_000_000, write(1))}
          (call $answer (local.get $out) (i32.const 0) (local.get $r) (i32.const 0) (i32.const 0) (i32.const 0))`,
      },
    ],
    [
      'that reads a large value again and again',
      {
        uses: ['open', 'keep', 'get', 'fields', 'response', 'answer'],
        pages: 330,
        code: `(i64.store (i32.const 512) (i64.const 0x00746c7561666564))
          (call $open (i32.const 512) (i32.const 7) (i32.const 0)) (local.set $s (i32.load (i32.const 4)))
          (call $keep (local.get $s) (i32.const 512) (i32.const 1) (i32.const 1024) (i32.const 20000000) (i32.const 0))
          ${times(50, '(call $get (local.get $s) (i32.const 512) (i32.const 1) (i32.const 0))')}
          (call $answer (local.get $out) (i32.const 0) (call $response (call $fields)) (i32.const 0) (i32.const 0) (i32.const 0))`,
      },
    ],
  ])('%s', async (_, guest) => {
    const { status, log } = await attack(await hostileGuest(guest), { jspi: false })
    expect([status, log]).toEqual([200, ''])
  })
})
