import { describe, expect, it } from 'vitest'
import type { ComponentInstance } from '../../../src/run/component/instantiate.ts'
import { dropResource, type GuestResource } from '../../../src/run/component/abi/resource.ts'
import { asks, callback, guest, later, NO_CALLBACK, WAITING } from './async-guests.ts'
import { start } from './start.ts'

describe('a call that is waited for', () => {
  it('is done at once when the host is', async () => {
    const app = await start(asks(), { f: (x: number) => x * 2 })
    expect(await app.call(['run'], 21)).toBe(42)
  })

  it('calls the guest back when the host is done later', async () => {
    const app = await start(asks(), { f: (x: number) => later(x * 2) })
    expect(await app.call(['run'], 21)).toBe(43)
    await app.idle()
  })

  it('lets others of the same instance run meanwhile', async () => {
    let started = 0
    let allStarted = (): void => {}
    const all = new Promise<void>((resolve) => (allStarted = resolve))
    const app = await start(asks(), {
      f: async () => {
        if (++started === 3) allStarted()
        await all
        return 6
      },
    })
    const calls = [1, 2, 3].map((x) => app.call(['run'], x))
    expect(await Promise.all(calls)).toEqual([7, 7, 7])
  })

  it('ends in the host’s error, for all that run', async () => {
    const app = await start(asks(), {
      f: () => later(0).then(() => Promise.reject(new Error('no luck'))),
    })
    const both = await Promise.allSettled([app.call(['run'], 1), app.call(['run'], 2)])
    expect(both.map((one) => one.status)).toEqual(['rejected', 'rejected'])
    await expect(app.call(['run'], 1)).rejects.toThrow(/trapped before/)
  })

  it('ends when the instance is disposed of', async () => {
    const app = await start(asks(), { f: () => new Promise(() => {}) })
    const call = app.call(['run'], 1)
    app.dispose()
    await expect(call).rejects.toThrow(/disposed of/)
  })

  it('is stopped at the host, and heard of no more, when the instance is disposed of', async () => {
    let stopped = 0
    let answer = (_: string): void => {}
    const app = await start(
      asks({
        types: '(import "f" (func $f async (param "x" u32) (result string)))',
        imports: [
          ...WAITING,
          [
            'f',
            '(param i32 i32) (result i32)',
            'canon lower (func $f) async (memory $mem) (realloc $realloc)',
          ],
        ],
        code: `(func (export "run") (param i32) (result i32)
            (drop (call $f (local.get 0) (i32.const 64)))
            (i32.or (i32.const 2) (i32.shl (call $set-new) (i32.const 4))))
          ${NO_CALLBACK}`,
        exports: callback('run', '(param "x" u32)'),
      }),
      {
        f: () =>
          Object.assign(new Promise<string>((resolve) => (answer = resolve)), {
            stop: () => stopped++,
          }),
      },
    )
    const call = app.call(['run'], 1)
    app.dispose()
    await expect(call).rejects.toThrow(/disposed of/)
    expect(stopped).toBe(1)
    answer('too late')
    await expect(app.idle()).rejects.toThrow(/disposed of/)
  })

  it('can be given up', async () => {
    let stopped = 0
    const app = await start(
      asks({
        code: `(func (export "run") (param i32) (result i32)
            (call $return (call $cancel (i32.shr_u (call $f (i32.const 0) (i32.const 64)) (i32.const 4))))
            (i32.const 0))
          ${NO_CALLBACK}`,
      }),
      { f: () => Object.assign(new Promise(() => {}), { stop: () => stopped++ }) },
    )
    // Cancelled before it returned.
    expect(await app.call(['run'], 1)).toBe(4)
    expect(stopped).toBe(1)
  })
})

describe('a task', () => {
  const returns = (code: string, options = ''): string =>
    guest({
      imports: [
        ['return', '(param i32)', `canon task.return (result u32) ${options}`],
        ['return-long', '(param i64)', 'canon task.return (result u64)'],
        ['cancel', '', 'canon task.cancel'],
        ['get', '(result i32)', 'canon context.get i32 0'],
        ['set', '(param i32)', 'canon context.set i32 0'],
        ['inc', '', 'canon backpressure.inc'],
        ['dec', '', 'canon backpressure.dec'],
      ],
      code,
      exports: `${callback('run', '(result u32)')}
        (func (export "plain") (result u32) (canon lift (core func $m "plain")))`,
    })
  const PLAIN = '(func (export "plain") (result i32) (i32.const 1))'

  it('keeps what is its own while it yields', async () => {
    const app = await start(
      returns(`(global $count (mut i32) (i32.const 0)) ${PLAIN}
        (func (export "run") (result i32)
          (global.set $count (i32.add (global.get $count) (i32.const 1)))
          (call $set (global.get $count))
          (i32.const 1))
        (func (export "cb") (param i32 i32 i32) (result i32) (call $return (call $get)) (i32.const 0))`),
    )
    expect(await Promise.all([app.call(['run']), app.call(['run']), app.call(['run'])])).toEqual([
      1, 2, 3,
    ])
  })

  it('goes on after its result is there', async () => {
    const app = await start(
      returns(`(global $after (mut i32) (i32.const 0))
        (func (export "plain") (result i32) (global.get $after))
        (func (export "run") (result i32) (call $return (i32.const 7)) (i32.const 1))
        (func (export "cb") (param i32 i32 i32) (result i32) (global.set $after (i32.const 9)) (i32.const 0))`),
    )
    expect(await app.call(['run'])).toBe(7)
    expect(await app.call(['plain'])).toBe(0)
    await app.idle()
    expect(await app.call(['plain'])).toBe(9)
  })

  /** "plain" shuts the door or opens it again, and says how many calls of "run" have begun. */
  const DOOR = `(global $runs (mut i32) (i32.const 0)) (global $shut (mut i32) (i32.const 0))
    ${NO_CALLBACK}
    (func (export "plain") (result i32)
      (if (global.get $shut) (then (call $dec)) (else (call $inc)))
      (global.set $shut (i32.eqz (global.get $shut)))
      (global.get $runs))
    (func (export "run") (result i32)
      (global.set $runs (i32.add (global.get $runs) (i32.const 1)))
      (call $return (global.get $runs)) (i32.const 0))`

  it('waits at the door while there is backpressure', async () => {
    const app = await start(returns(DOOR))
    expect(await app.call(['plain'])).toBe(0)
    const waiting = app.call(['run'])
    expect(await app.call(['plain'])).toBe(0)
    expect(await waiting).toBe(1)
    expect(await app.call(['plain'])).toBe(1)
  })

  it('can’t take away more backpressure than there is', async () => {
    const app = await start(
      returns(`${NO_CALLBACK} (func (export "run") (result i32) unreachable)
        (func (export "plain") (result i32) (call $dec) (i32.const 0))`),
    )
    await expect(app.call(['plain'])).rejects.toThrow(/less backpressure than none/)
  })

  it.each([
    ['gives no result', '(i32.const 0)', /ends without a result/],
    [
      'gives two',
      '(call $return (i32.const 1)) (call $return (i32.const 1)) (i32.const 0)',
      /twice/,
    ],
    [
      'gives one of another type',
      '(call $return-long (i64.const 1)) (i32.const 0)',
      /another type/,
    ],
    ['gives up unasked', '(call $cancel) (i32.const 0)', /nobody has cancelled/],
    ['returns a code that is none', '(i32.const 5)', /unknown code 5/],
    ['waits for a set that is none', '(i32.const 114)', /unknown handle 7/],
  ])('traps when it %s', async (_, body, message) => {
    const app = await start(
      returns(`${PLAIN} ${NO_CALLBACK} (func (export "run") (result i32) ${body})`),
    )
    await expect(app.call(['run'])).rejects.toMatchObject({
      code: 'ERR_TRAP',
      message: expect.stringMatching(message),
    })
    await expect(app.call(['plain'])).rejects.toThrow(/trapped before/)
  })

  it('is not there in a synchronous call', async () => {
    const app = await start(
      returns(`${NO_CALLBACK} (func (export "run") (result i32) unreachable)
        (func (export "plain") (result i32) (call $return (i32.const 1)) (i32.const 1))`),
    )
    await expect(app.call(['plain'])).rejects.toThrow(
      /"task.return" is called by a synchronous call/,
    )
  })
})

describe('a destructor', () => {
  it('is not called into the middle of an asynchronous call of its component', async () => {
    let dropped = 0
    const app: ComponentInstance = await start(
      `(component
        (import "f" (func $f))
        (import "seen" (func $seen))
        (core func $f' (canon lower (func $f)))
        (core func $seen' (canon lower (func $seen)))
        (core func $return (canon task.return))
        (core module $D (import "" "seen" (func $seen)) (func (export "dtor") (param i32) (call $seen)))
        (core instance $d (instantiate $D (with "" (instance (export "seen" (func $seen'))))))
        (type $r (resource (rep i32) (dtor (core func $d "dtor"))))
        (core func $new (canon resource.new $r))
        (core module $M
          (import "" "f" (func $f)) (import "" "return" (func $return))
          (import "" "new" (func $new (param i32) (result i32)))
          (func (export "make") (result i32) (call $new (i32.const 7)))
          (func (export "run") (result i32) (call $f) (call $return) (i32.const 0))
          (func (export "cb") (param i32 i32 i32) (result i32) unreachable))
        (core instance $m (instantiate $M (with "" (instance
          (export "f" (func $f')) (export "return" (func $return)) (export "new" (func $new))))))
        (export $R "r" (type $r))
        (func (export "make") (result (own $R)) (canon lift (core func $m "make")))
        (func (export "run") async
          (canon lift (core func $m "run") async (callback (core func $m "cb")))))`,
      {
        seen: () => dropped++,
        f: () => void dropResource(made),
      },
    )
    const made = (await app.call(['make'])) as GuestResource
    await expect(app.call(['run'])).rejects.toThrow(/dropped while its component runs/)
    expect(dropped).toBe(0)
  })
})
