import { describe, expect, it } from 'vitest'
import { createHostStream, readItems } from '../../../src/run/component/async/host-transfer.ts'
import type { Readable } from '../../../src/run/component/abi/transfer.ts'
import { callback, guest, NO_CALLBACK, transfers, WAITING } from './async-guests.ts'
import { start } from './start.ts'

describe('a stream', () => {
  const RETURN = ['return', '(param i32)', 'canon task.return (result $T)'] as const
  const makes = (body: string, kind: 'stream' | 'future' = 'stream'): string =>
    guest({
      types: `(type $T (${kind} u8))`,
      imports: [...WAITING, ...transfers(kind), RETURN],
      code: `(data (i32.const 16) "abcdef") (global $w (mut i32) (i32.const 0)) (global $set (mut i32) (i32.const 0))
        (func $make (result i32) (local $both i64)
          (local.set $both (call $new))
          (global.set $w (i32.wrap_i64 (i64.shr_u (local.get $both) (i64.const 32))))
          (i32.wrap_i64 (local.get $both)))
        (func $wait (result i32)
          (global.set $set (call $set-new))
          (call $join (global.get $w) (global.get $set))
          (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))
        ${body}`,
      exports: callback('run', '(result $T)'),
    })

  it('goes to the host as the host reads it, and ends', async () => {
    const app = await start(
      makes(`(func (export "run") (result i32)
          (call $return (call $make))
          (drop (call $write (global.get $w) (i32.const 16) (i32.const 6)))
          (call $wait))
        (func (export "cb") (param i32 i32 i32) (result i32)
          ;; Of six bytes four have passed, so there are two to write.
          (call $join (global.get $w) (i32.const 0))
          (drop (call $write (global.get $w) (i32.const 20) (i32.const 0)))
          (call $drop-writable (global.get $w)) (i32.const 0))`),
    )
    const stream = (await app.call(['run'])) as Readable
    const first = (await readItems(stream, 4)) as Uint8Array
    expect(new TextDecoder().decode(first)).toBe('abcd')
    expect(await readItems(stream, 4)).toBeUndefined()
  })

  it('fails for the host when the guest traps before its end', async () => {
    const app = await start(
      makes(`(func (export "run") (result i32) (call $return (call $make)) (i32.const 1))
        ${NO_CALLBACK}`),
    )
    const stream = (await app.call(['run'])) as Readable
    const reading = readItems(stream, 4)
    await expect(app.idle()).rejects.toThrow(/unreachable/)
    app.dispose()
    await expect(reading).rejects.toThrow(/unreachable/)
    await expect(readItems(stream, 4)).rejects.toThrow(/unreachable/)
  })

  it('of a host is read as far as there is something, then to its end', async () => {
    const parts = [Uint8Array.of(1, 2, 3), Uint8Array.of(4)]
    const app = await start(
      guest({
        types: '(type $T (stream u8)) (import "f" (func $f (result $T)))',
        imports: [
          ...transfers('stream'),
          ['f', '(result i32)', 'canon lower (func $f)'],
          [
            'return',
            '(param i32 i32 i32 i32)',
            'canon task.return (result (tuple u32 u32 u32 u32))',
          ],
        ],
        code: `(func (export "run") (result i32) (local $s i32)
            (local.set $s (call $f))
            (call $return
              (call $read (local.get $s) (i32.const 16) (i32.const 0))
              (call $read (local.get $s) (i32.const 16) (i32.const 10))
              (call $read (local.get $s) (i32.const 19) (i32.const 10))
              (call $read (local.get $s) (i32.const 20) (i32.const 10)))
            (call $drop-readable (local.get $s))
            (i32.const 0))
          ${NO_CALLBACK}`,
        exports: callback('run', '(result (tuple u32 u32 u32 u32))'),
      }),
      {
        f: () =>
          createHostStream({
            ready: () => true,
            wait: () => Promise.resolve(),
            read: () => parts.shift(),
            close() {},
          }),
      },
    )
    // Counts above four bits of outcome: nothing of nothing, three, one, and the end.
    expect(await app.call(['run'])).toEqual([0, 3 << 4, 1 << 4, 1])
  })

  it('can be given back to the host as it came', async () => {
    const app = await start(
      guest({
        types: '(type $T (stream u8))',
        imports: [['return', '(param i32)', 'canon task.return (result $T)']],
        code: `(func (export "run") (param i32) (result i32) (call $return (local.get 0)) (i32.const 0)) ${NO_CALLBACK}`,
        exports: callback('run', '(param "s" $T) (result $T)'),
      }),
    )
    const stream = createHostStream({
      ready: () => true,
      wait: () => Promise.resolve(),
      read: () => undefined,
      close() {},
    })
    expect(await app.call(['run'], stream)).toBe(stream)
    await expect(app.call(['run'], 'nothing')).rejects.toThrow(
      /something else where a stream is due/,
    )
  })

  it.each([
    [
      'read by its writer',
      '(drop (call $read (global.get $w) (i32.const 0) (i32.const 1)))',
      /is a writable end, not a readable end/,
    ],
    [
      'read twice at once',
      '(drop (call $read (local.get $r) (i32.const 0) (i32.const 1))) (drop (call $read (local.get $r) (i32.const 0) (i32.const 1)))',
      /used that is copying/,
    ],
    [
      'read outside of memory',
      '(drop (call $read (local.get $r) (i32.const 65530) (i32.const 100)))',
      /outside memory/,
    ],
    [
      'dropped while it is read',
      '(drop (call $read (local.get $r) (i32.const 0) (i32.const 1))) (call $drop-readable (local.get $r))',
      /dropped that copies/,
    ],
    [
      'given up though nothing goes on',
      '(drop (call $cancel-read (local.get $r)))',
      /nothing of an end/,
    ],
    [
      'used after its drop',
      '(call $drop-readable (local.get $r)) (call $drop-readable (local.get $r))',
      /unknown handle/,
    ],
    [
      'given away while it is read',
      '(drop (call $read (local.get $r) (i32.const 0) (i32.const 1))) (call $return (local.get $r))',
      /given away that is copying/,
    ],
  ])('traps when it is %s', async (_, body, message) => {
    const app = await start(
      makes(
        `(func (export "run") (result i32) (local $r i32) (local.set $r (call $make)) ${body} (i32.const 0)) ${NO_CALLBACK}`,
      ),
    )
    await expect(app.call(['run'])).rejects.toMatchObject({
      code: 'ERR_TRAP',
      message: expect.stringMatching(message),
    })
  })

  it.each([
    [
      'a reader has what a writer then gives',
      '(call $read (local.get $r) (i32.const 32) (i32.const 4)) drop (call $write (global.get $w) (i32.const 16) (i32.const 6))',
      4 << 4,
    ],
    [
      'a writer whose reader is gone is told',
      '(call $drop-readable (local.get $r)) (call $write (global.get $w) (i32.const 16) (i32.const 6))',
      1,
    ],
    [
      'a read that is given up is told so',
      '(drop (call $read (local.get $r) (i32.const 32) (i32.const 4))) (call $cancel-read (local.get $r))',
      2,
    ],
    [
      'a reader whose writer is gone is told',
      '(call $drop-writable (global.get $w)) (call $read (local.get $r) (i32.const 32) (i32.const 4))',
      1,
    ],
  ])('between two ends of a guest: %s', async (_, body, outcome) => {
    const app = await start(
      guest({
        types: '(type $T (stream u8))',
        imports: [
          ...transfers('stream'),
          ['return', '(param i32)', 'canon task.return (result u32)'],
        ],
        code: `(global $w (mut i32) (i32.const 0))
          (func (export "run") (result i32) (local $r i32) (local $both i64)
            (local.set $both (call $new)) (local.set $r (i32.wrap_i64 (local.get $both)))
            (global.set $w (i32.wrap_i64 (i64.shr_u (local.get $both) (i64.const 32))))
            (call $return ${body}) (i32.const 0)) ${NO_CALLBACK}`,
        exports: callback('run', '(result u32)'),
      }),
    )
    expect(await app.call(['run'])).toBe(outcome)
  })

  it('of a future must be written before it is dropped', async () => {
    const app = await start(
      makes(
        `(func (export "run") (result i32) (call $return (call $make)) (call $drop-writable (global.get $w)) (i32.const 0)) ${NO_CALLBACK}`,
        'future',
      ),
    )
    await expect(app.call(['run']).then(() => app.idle())).rejects.toThrow(/nobody has written/)
  })
})
