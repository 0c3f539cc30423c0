import { describe, expect, it } from 'vitest'
import { createHostStream } from '../../../src/run/component/async/host-transfer.ts'
import { hasJspi } from '../../../src/run/component/abi/jspi.ts'
import type { Readable } from '../../../src/run/component/abi/transfer.ts'
import { CANT_WAIT } from '../waiting.ts'
import { asks, callback, guest, later, transfers, WAITING, type Guest } from './async-guests.ts'
import { start } from './start.ts'

describe('standing still', () => {
  const waits = guest({
    types: '(type $T (stream u8)) (import "f" (func $f async (result u32)))',
    imports: [
      ...transfers('stream', ''),
      ['f', '(result i32)', 'canon lower (func $f)'],
      ['yield', '(result i32)', 'canon thread.yield'],
    ],
    code: `(func (export "call") (result i32) (i32.add (call $f) (i32.const 1)))
      (func (export "yield") (result i32) (call $yield))
      (func (export "read") (param i32) (result i32) (call $read (local.get 0) (i32.const 16) (i32.const 8)))`,
    exports: `(func (export "call") async (result u32) (canon lift (core func $m "call")))
      (func (export "yield") async (result u32) (canon lift (core func $m "yield")))
      (func (export "read") async (param "s" $T) (result u32) (canon lift (core func $m "read")))`,
  })
  const slowly = (): Readable => {
    const parts = [Uint8Array.of(1, 2)]
    let ready = false
    return createHostStream({
      ready: () => ready,
      wait: () => later(0).then(() => (ready = true)),
      read: () => parts.shift(),
      close() {},
    })
  }
  const cases: ReadonlyArray<readonly [string, () => readonly unknown[], number]> = [
    ['call', () => [], 42],
    ['yield', () => [], 0],
    ['read', () => [slowly()], 2 << 4],
  ]

  it.each(cases)('in "%s" needs JSPI, and says so without', async (name, args) => {
    const app = await start(waits, { f: () => later(41) })
    await expect(app.call([name], ...args())).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(CANT_WAIT),
    })
  })

  it('needs no JSPI for what is there at once', async () => {
    expect(await (await start(waits, { f: () => 41 })).call(['call'])).toBe(42)
  })

  if (hasJspi()) {
    it.each(cases)('in "%s" goes on when it can', async (name, args, result) => {
      const app = await start(waits, { f: () => later(41) }, true)
      expect(await app.call([name], ...args())).toBe(result)
    })

    it('of many at once keeps them apart', async () => {
      const app = await start(
        guest({
          types: '(import "f" (func $f async (param "x" u32) (result u32)))',
          imports: [
            ['f', '(param i32) (result i32)', 'canon lower (func $f)'],
            ['get', '(result i32)', 'canon context.get i32 0'],
            ['set', '(param i32)', 'canon context.set i32 0'],
            ['return', '(param i32)', 'canon task.return (result u32)'],
          ],
          code: `(func (export "run") (param i32) (local $i i32)
            (call $set (local.get 0))
            (loop $again
              (drop (call $f (call $get)))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $again (i32.lt_u (local.get $i) (i32.const 5))))
            (call $return (call $get)))`,
          exports: `(func (export "run") async (param "x" u32) (result u32) (canon lift (core func $m "run") async))`,
        }),
        // Some settle together, some don't.
        { f: async (x: number) => (x % 2 === 0 ? x : later(x)) },
        true,
      )
      const numbers = Array.from({ length: 30 }, (_, i) => i + 1)
      expect(await Promise.all(numbers.map((x) => app.call(['run'], x)))).toEqual(numbers)
    })
  }
})

describe('what nothing can wake', () => {
  const DEADLOCK = {
    code: 'ERR_TRAP',
    message: expect.stringMatching(/waits for what nothing can bring about \(a deadlock\)/),
  }
  const RETURN = ['return', '(param i32)', 'canon task.return (result u32)'] as const
  /** Makes a stream of its own and joins one of its ends, `$end`, to a set that it waits for. */
  const waits = (before: string, options: Partial<Guest> = {}): string =>
    guest({
      types: '(type $T (stream u8))',
      imports: [...WAITING, ...transfers('stream'), RETURN, ...(options.imports ?? [])],
      code: `(global $set (mut i32) (i32.const 0)) (global $r (mut i32) (i32.const 0)) (global $w (mut i32) (i32.const 0))
        (func (export "run") (result i32) (local $both i64)
          (global.set $set (call $set-new))
          (local.set $both (call $new))
          (global.set $r (i32.wrap_i64 (local.get $both)))
          (global.set $w (i32.wrap_i64 (i64.shr_u (local.get $both) (i64.const 32))))
          ${before}
          (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))
        (func (export "cb") (param i32 i32 i32) (result i32) (call $return (i32.const 7)) (i32.const 0))`,
      exports: callback('run', '(result u32)'),
      ...(options.types !== undefined && { types: options.types }),
    })

  it.each([
    ['an empty set', ''],
    ['an end that is idle', '(call $join (global.get $r) (global.get $set))'],
    [
      'a stream that only it could write',
      `(call $join (global.get $r) (global.get $set))
       (drop (call $read (global.get $r) (i32.const 16) (i32.const 1)))`,
    ],
    [
      'a stream that only it could read',
      `(call $join (global.get $w) (global.get $set))
       (drop (call $write (global.get $w) (i32.const 16) (i32.const 1)))`,
    ],
  ])('traps: %s', async (_, before) => {
    const app = await start(waits(before))
    await expect(app.call(['run'])).rejects.toMatchObject(DEADLOCK)
    await expect(app.call(['run'])).rejects.toThrow(/trapped before/)
  })

  it('traps when it has already given its result', async () => {
    const app = await start(waits('(call $return (i32.const 1))'))
    expect(await app.call(['run'])).toBe(1)
    await expect(app.idle()).rejects.toMatchObject(DEADLOCK)
  })

  it('is not what another call of it brings about, or the host after many turns', async () => {
    const slowly = (): Promise<number> => new Promise((done) => setTimeout(done, 30, 5))
    const app = await start(asks(), { f: slowly })
    expect(await Promise.all([app.call(['run'], 1), app.call(['run'], 2)])).toEqual([6, 6])
  })

  it('is not a stream of the host that has nothing yet', async () => {
    const types = '(type $T (stream u8)) (import "f" (func $f (result $T)))'
    const app = await start(
      waits(
        `(global.set $r (call $f)) (call $join (global.get $r) (global.get $set))
         (drop (call $read (global.get $r) (i32.const 16) (i32.const 1)))`,
        { types, imports: [['f', '(result i32)', 'canon lower (func $f)']] },
      ),
      {
        f: () => {
          let ready = false
          return createHostStream({
            ready: () => ready,
            wait: () => new Promise((done) => setTimeout(done, 30)).then(() => (ready = true)),
            read: () => Uint8Array.of(1),
            close() {},
          })
        },
      },
    )
    expect(await app.call(['run'])).toBe(7)
  })

  if (hasJspi()) {
    it('traps when it stands still', async () => {
      const app = await start(
        guest({
          types: '(type $T (stream u8))',
          imports: transfers('stream', ''),
          code: `(func (export "run") (result i32) (call $read (i32.wrap_i64 (call $new)) (i32.const 16) (i32.const 8)))`,
          exports: `(func (export "run") async (result u32) (canon lift (core func $m "run")))`,
        }),
        {},
        true,
      )
      await expect(app.call(['run'])).rejects.toMatchObject(DEADLOCK)
    })
  }
})
