import { describe, expect, it } from 'vitest'
import type { HostInterface } from '../../../src/run/component/abi/items.ts'
import { dropResource, type GuestResource } from '../../../src/run/component/abi/resource.ts'
import { lifted } from './lifted.ts'
import { start } from './start.ts'

/** A component that defines a resource with a destructor that counts, for nesting. */
const COUNTER = `
  (component $Counter
    (core module $M
      (global $dropped (mut i32) (i32.const 0))
      (func (export "dtor") (param i32) (global.set $dropped (i32.add (global.get $dropped) (local.get 0))))
      (func (export "dropped") (result i32) (global.get $dropped)))
    (core instance $m (instantiate $M))
    (alias core export $m "dtor" (core func $dtor))
    (type $r (resource (rep i32) (dtor (core func $dtor))))
    (core func $new (canon resource.new $r))
    (core func $rep (canon resource.rep $r))
    (core module $N
      (import "" "new" (func $new (param i32) (result i32)))
      (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
      (func (export "read") (param i32) (result i32) (local.get 0)))
    (core instance $n (instantiate $N (with "" (instance (export "new" (func $new))))))
    (alias core export $n "make" (core func $make))
    (alias core export $n "read" (core func $read))
    (alias core export $m "dropped" (core func $dropped))
    (export $R "counter" (type $r))
    (func (export "make") (param "n" u32) (result (own $R)) (canon lift (core func $make)))
    (func (export "read") (param "c" (borrow $R)) (result u32) (canon lift (core func $read)))
    (func (export "dropped") (result u32) (canon lift (core func $dropped))))`

/** Uses the counter from another component: `body` is that of its export "run". */
const using = (body: string, extra = ''): string => `(component ${COUNTER}
  (component $User
    (import "counter" (type $R (sub resource)))
    (import "make" (func $make (param "n" u32) (result (own $R))))
    (import "read" (func $read (param "c" (borrow $R)) (result u32)))
    (core func $make (canon lower (func $make)))
    (core func $read (canon lower (func $read)))
    (core func $drop (canon resource.drop $R))
    (core module $M
      (import "" "make" (func $make (param i32) (result i32)))
      (import "" "read" (func $read (param i32) (result i32)))
      (import "" "drop" (func $drop (param i32)))
      (func (export "run") (result i32) (local $h i32) ${body})
      (func (export "keep") (param i32)))
    (core instance $m (instantiate $M (with "" (instance
      (export "make" (func $make)) (export "read" (func $read)) (export "drop" (func $drop))))))
    ${lifted('run', 'run', '(result u32)')}
    ${lifted('keep', 'keep', '(param "c" (borrow $R))')})
  (instance $c (instantiate $Counter))
  (alias export $c "counter" (type $R)) (alias export $c "make" (func $make)) (alias export $c "read" (func $read))
  (instance $u (instantiate $User
    (with "counter" (type $R)) (with "make" (func $make)) (with "read" (func $read))))
  (alias export $u "run" (func $run)) (alias export $u "keep" (func $keep)) (alias export $c "dropped" (func $dropped))
  (export "run" (func $run)) (export "keep" (func $keep)) (export "dropped" (func $dropped))
  (export "make" (func $make)) (export "read" (func $read)) ${extra})`

describe('resources', () => {
  it('go from one component to another as handles and come back as what they stand for', async () => {
    const app = await start(
      using(
        '(local.set $h (call $make (i32.const 42))) (call $read (local.get $h)) (call $drop (local.get $h))',
      ),
    )
    expect(await app.call(['run'])).toBe(42)
    expect(await app.call(['dropped'])).toBe(42)
  })

  it('reach the host, which can lend and drop them', async () => {
    const app = await start(using('(i32.const 0)'))
    const counter = (await app.call(['make'], 7)) as GuestResource
    expect(await app.call(['read'], counter)).toBe(7)
    dropResource(counter)
    expect(await app.call(['dropped'])).toBe(7)
    await expect(app.call(['read'], { representation: 7 })).rejects.toThrow(
      /something else where a resource is due/,
    )
  })

  it.each([
    [
      'dropped twice',
      '(local.set $h (call $make (i32.const 1))) (call $drop (local.get $h)) (call $drop (local.get $h)) (i32.const 0)',
      /unknown handle 1/,
    ],
    [
      'used after its drop',
      '(local.set $h (call $make (i32.const 1))) (call $drop (local.get $h)) (call $read (local.get $h))',
      /unknown handle 1/,
    ],
    ['made up', '(call $read (i32.const 77))', /unknown handle 77/],
    ['zero', '(call $read (i32.const 0))', /unknown handle 0/],
  ])('trap when a handle is %s', async (_, body, message) => {
    const app = await start(using(body))
    await expect(app.call(['run'])).rejects.toMatchObject({
      code: 'ERR_TRAP',
      message: expect.stringMatching(message),
    })
    await expect(app.call(['dropped'])).rejects.toThrow(/trapped before/)
  })

  it('trap when a borrow outlives its call', async () => {
    const app = await start(using('(i32.const 0)'))
    const counter = await app.call(['make'], 7)
    await expect(app.call(['keep'], counter)).rejects.toThrow(
      /1 borrowed handles outlive their call/,
    )
  })
})

describe('host resources', () => {
  const WAT = `(component
    (import "host" (instance $host
      (export "thing" (type $thing (sub resource)))
      (export "other" (type $other (sub resource)))
      (export "make" (func (result (own $thing))))
      (export "[method]thing.id" (func (param "self" (borrow $thing)) (result u32)))
      (export "[method]other.id" (func (param "self" (borrow $other)) (result u32)))
      (export "take" (func (param "x" (own $thing))))))
    (alias export $host "thing" (type $thing))
    (alias export $host "make" (func $make)) (alias export $host "[method]thing.id" (func $id))
    (alias export $host "[method]other.id" (func $oid)) (alias export $host "take" (func $take))
    (core func $make (canon lower (func $make))) (core func $id (canon lower (func $id)))
    (core func $oid (canon lower (func $oid))) (core func $take (canon lower (func $take)))
    (core func $drop (canon resource.drop $thing))
    (core module $M
      (import "" "make" (func $make (result i32))) (import "" "id" (func $id (param i32) (result i32)))
      (import "" "oid" (func $oid (param i32) (result i32))) (import "" "take" (func $take (param i32)))
      (import "" "drop" (func $drop (param i32)))
      (func (export "use") (result i32) (local $h i32)
        (local.set $h (call $make)) (call $id (local.get $h)) (call $drop (local.get $h)))
      (func (export "mix") (result i32) (call $oid (call $make)))
      (func (export "leak") (result i32) (drop (call $make)) (i32.const 1))
      (func (export "give") (result i32) (local $h i32)
        (local.set $h (call $make)) (call $take (local.get $h)) (call $id (local.get $h))))
    (core instance $m (instantiate $M (with "" (instance
      (export "make" (func $make)) (export "id" (func $id)) (export "oid" (func $oid))
      (export "take" (func $take)) (export "drop" (func $drop))))))
    ${['use', 'mix', 'leak', 'give'].map((name) => lifted(name, name, '(result u32)')).join('\n')})`
  const host = (log: string[] = []): HostInterface['functions'] => ({
    make: () => ({ id: 5 }),
    take: () => log.push('taken'),
    '[method]thing.id': (thing: { id: number }) => thing.id,
    '[method]other.id': (thing: { id: number }) => thing.id,
    '[resource-drop]thing': () => log.push('dropped'),
  })

  it('are the host’s own objects, and it learns of their end', async () => {
    const log: string[] = []
    expect(await (await start(WAT, host(log))).call(['use'])).toBe(5)
    expect(log).toEqual(['dropped'])
  })

  it('are told apart by type', async () => {
    await expect((await start(WAT, host())).call(['mix'])).rejects.toThrow(
      /handle 1 is a thing, not a other/,
    )
  })

  it('are gone once given away', async () => {
    await expect((await start(WAT, host())).call(['give'])).rejects.toThrow(/unknown handle 1/)
  })

  it('are dropped with the instance', async () => {
    const log: string[] = []
    const app = await start(WAT, host(log))
    await app.call(['leak'])
    app.dispose()
    expect(log).toEqual(['dropped'])
    await expect(app.call(['leak'])).rejects.toMatchObject({ code: 'ERR_TRAP' })
  })
})
