import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { describe, expect, it } from 'vitest'
import { compileComponent } from '../../../src/run/component/compile.ts'
import {
  instantiateComponent,
  type ComponentInstance,
} from '../../../src/run/component/instantiate.ts'
import type { HostInterface } from '../../../src/run/component/items.ts'
import { parseComponent } from '../../../src/run/component/parse.ts'
import { dropResource, type GuestResource } from '../../../src/run/component/resource.ts'
import { CANT_WAIT, itWaits } from '../waiting.ts'

async function start(
  wat: string,
  functions: HostInterface['functions'] = {},
): Promise<ComponentInstance> {
  const compiled = await compileComponent(parseComponent(await parse(wat)))
  return instantiateComponent(compiled, { jspi: false, imports: () => ({ functions }) })
}

/** Exports `name` of a core module that has `body`, lifted with the type. */
const lifted = (name: string, core: string, type: string, options = ''): string => `
  (alias core export $m "${core}" (core func $${core}))
  (func (export "${name}") ${type} (canon lift (core func $${core}) ${options}))`

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

/** One core function `f` with memory, lifted as `type`. */
const single = (body: string, type: string, options = '', extra = ''): string => `(component
  (core module $M (memory (export "mem") 1) ${extra}
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "f") ${body}))
  (core instance $m (instantiate $M))
  (alias core export $m "mem" (core memory $mem))
  (alias core export $m "realloc" (core func $realloc))
  ${lifted('f', 'f', type, `(memory $mem) (realloc $realloc) ${options}`)})`

const at16 = (first: number, second: number): string =>
  `(result i32) (i32.store (i32.const 16) (i32.const ${first})) (i32.store (i32.const 20) (i32.const ${second})) (i32.const 16)`

describe('what a component may not do', () => {
  it.each([
    ['a string outside memory', at16(65530, 10), '(result string)', '', /outside memory/],
    [
      'a string longer than any',
      at16(0, -1),
      '(result string)',
      '',
      /a string of 4294967295 bytes/,
    ],
    [
      'a string that is not UTF-8',
      `(result i32) (i32.store8 (i32.const 32) (i32.const 255)) ${at16(32, 1).slice(12)}`,
      '(result string)',
      '',
      /not utf-8/,
    ],
    [
      'UTF-16 at an odd place',
      at16(33, 1),
      '(result string)',
      'string-encoding=utf16',
      /not aligned to 2/,
    ],
    ['a list outside memory', at16(0, 0x10000), '(result (list u32))', '', /outside memory/],
    ['a list at an odd place', at16(2, 1), '(result (list u32))', '', /not aligned to 4/],
    [
      'a result outside memory',
      '(result i32) (i32.const -8)',
      '(result (tuple u32 u32))',
      '',
      /outside memory/,
    ],
    [
      'a surrogate as a character',
      '(result i32) (i32.const 0xd800)',
      '(result char)',
      '',
      /0xd800 is no character/,
    ],
    [
      'a case that the variant lacks',
      '(result i32) (i32.const 3)',
      '(result (enum "a" "b" "c"))',
      '',
      /case 3 of a enum that has 3/,
    ],
    ['unreachable', '(result i32) unreachable', '(result u32)', '', /unreachable/],
    ['endless recursion', '(result i32) (call 1)', '(result u32)', '', /Maximum call stack|stack/],
  ])('%s traps', async (_, body, type, options, message) => {
    const app = await start(single(body, type, options))
    await expect(app.call(['f'])).rejects.toMatchObject({
      code: 'ERR_TRAP',
      message: expect.stringMatching(message),
    })
    await expect(app.call(['f'])).rejects.toThrow(/trapped before/)
  })

  it('an allocator that gives room outside memory traps', async () => {
    const app = await start(
      single('(param i32 i32)', '(param "x" string)').replace(
        '(i32.const 1024)',
        '(i32.const 65535)',
      ),
    )
    await expect(app.call(['f'], 'long enough')).rejects.toThrow(/outside memory/)
  })

  it('calling out while it allocates traps', async () => {
    const app = await start(
      `(component
      (import "f" (func $f))
      (core func $f (canon lower (func $f)))
      (core module $M (import "" "f" (func $f)) (memory (export "mem") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (call $f) (i32.const 1024))
        (func (export "g") (param i32 i32)))
      (core instance $m (instantiate $M (with "" (instance (export "f" (func $f))))))
      (alias core export $m "mem" (core memory $mem)) (alias core export $m "realloc" (core func $realloc))
      ${lifted('g', 'g', '(param "x" string)', '(memory $mem) (realloc $realloc)')})`,
      { f: () => {} },
    )
    await expect(app.call(['g'], 'x')).rejects.toThrow(/called where nothing may be called/)
  })

  it('calling itself through the host traps', async () => {
    const late: { app?: ComponentInstance } = {}
    late.app = await start(
      `(component
      (import "f" (func $f))
      (core func $f (canon lower (func $f)))
      (core module $M (import "" "f" (func $f)) (func (export "g") (call $f)))
      (core instance $m (instantiate $M (with "" (instance (export "f" (func $f))))))
      ${lifted('g', 'g', '')})`,
      {
        f: () => {
          void late.app?.call(['g']).catch(() => {})
        },
      },
    )
    await expect(late.app.call(['g'])).rejects.toThrow(/called while its component runs/)
  })

  it('waiting without JSPI names the engines that can', async () => {
    const app = await start(
      `(component
      (import "f" (func $f))
      (core func $f (canon lower (func $f)))
      (core module $M (import "" "f" (func $f)) (func (export "g") (call $f)))
      (core instance $m (instantiate $M (with "" (instance (export "f" (func $f))))))
      ${lifted('g', 'g', '')})`,
      { f: async () => {} },
    )
    await expect(app.call(['g'])).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(/Chromium 137, Node\.js 26/),
    })
  })
})

/** B asks the host; A asks B, and gets its answer through both. */
const chain = (options = ''): string => `(component
  (import "f" (func $f (result u32)))
  (component $B (import "f" (func $f (result u32)))
    (core func $f (canon lower (func $f)))
    (core module $M (import "" "f" (func $f (result i32))) (func (export "g") (result i32) (i32.add (i32.const 1) (call $f))))
    (core instance $m (instantiate $M (with "" (instance (export "f" (func $f))))))
    ${lifted('g', 'g', '(result u32)', options)})
  (instance $b (instantiate $B (with "f" (func $f))))
  (alias export $b "g" (func $g))
  (instance $a (instantiate $B (with "f" (func $g))))
  (alias export $a "g" (func $h))
  (export "h" (func $h)))`

describe('waiting', () => {
  const expectRefusal = async (): Promise<void> => {
    const compiled = await compileComponent(parseComponent(await parse(chain())))
    const imports = (): HostInterface => ({
      functions: { f: async () => 40 },
      waits: new Set(['f']),
    })
    const asked = async (): Promise<unknown> =>
      (await instantiateComponent(compiled, { imports })).call(['h'])
    await expect(asked()).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(CANT_WAIT),
    })
  }

  it('needs no JSPI for what is there at once', async () => {
    expect(await (await start(chain(), { f: () => 40 })).call(['h'])).toBe(42)
  })

  itWaits(
    'goes through components that ask each other',
    async () => {
      const compiled = await compileComponent(parseComponent(await parse(chain())))
      const f = async (): Promise<number> => {
        await new Promise((resolve) => setTimeout(resolve, 2))
        return 40
      }
      const imports = (): HostInterface => ({ functions: { f }, waits: new Set(['f']) })
      const app = await instantiateComponent(compiled, { imports })
      expect(await app.call(['h'])).toBe(42)
      const second = app.call(['h'])
      // A component takes one call at a time, also while it waits.
      await expect((async () => app.call(['h']))()).rejects.toThrow(
        /called while its component runs/,
      )
      await expect(second).rejects.toThrow(/trapped|called while/)
    },
    expectRefusal,
  )

  itWaits(
    'ends in the host’s error',
    async () => {
      const compiled = await compileComponent(parseComponent(await parse(chain())))
      const imports = (): HostInterface => ({
        functions: { f: async () => Promise.reject(new Error('no luck')) },
        waits: new Set(['f']),
      })
      await expect((await instantiateComponent(compiled, { imports })).call(['h'])).rejects.toThrow(
        /no luck/,
      )
    },
    expectRefusal,
  )
})

describe('linking', () => {
  it('reaches types and modules of the components around', async () => {
    const app = await start(`(component $Outer
      (core module $M (func (export "f") (result i32) (i32.const 9)))
      (type $t (tuple u32))
      (component $Inner
        (alias outer $Outer $M (core module $Mine))
        (alias outer $Outer $t (type $mine))
        (core instance $m (instantiate $Mine))
        ${lifted('f', 'f', '(result $mine)')})
      (instance $i (instantiate $Inner))
      (export "inner" (instance $i)))`)
    expect(await app.call(['inner', 'f'])).toEqual([9])
  })

  it('runs a start function', async () => {
    const log: string[] = []
    await start(
      `(component
      (import "hello" (func $hello))
      (core func $hello (canon lower (func $hello)))
      (core module $M (import "" "hello" (func $hello)) (func (export "f") (call $hello)))
      (core instance $m (instantiate $M (with "" (instance (export "hello" (func $hello))))))
      (alias core export $m "f" (core func $f))
      (func $s (canon lift (core func $f)))
      (start $s))`,
      { hello: () => log.push('hello') },
    )
    expect(log).toEqual(['hello'])
  })

  it('calls post-return with what was returned', async () => {
    const app = await start(`(component
      (core module $M (memory (export "mem") 1) (global $g (mut i32) (i32.const 0))
        (func (export "f") (result i32) (i32.const 16))
        (func (export "post") (param i32) (global.set $g (local.get 0)))
        (func (export "seen") (result i32) (global.get $g)))
      (core instance $m (instantiate $M))
      (alias core export $m "mem" (core memory $mem)) (alias core export $m "post" (core func $post))
      ${lifted('f', 'f', '(result string)', '(memory $mem) (post-return $post)')}
      ${lifted('seen', 'seen', '(result u32)')})`)
    expect(await app.call(['f'])).toBe('')
    expect(await app.call(['seen'])).toBe(16)
  })

  it.each([
    [
      'a function of another type',
      '(import "f" (func (param "x" u32)))',
      '(with "f" (func $f))',
      /function of another type/,
    ],
    [
      'an instance for a function',
      '(import "f" (instance))',
      '(with "f" (func $f))',
      /is a func, not a instance/,
    ],
    ['nothing', '(import "g" (func))', '(with "f" (func $f))', /without its import "g"/],
  ])('refuses %s as a nested import', async (_, wanted, given, message) => {
    await expect(
      start(
        `(component
      (import "f" (func $f))
      (component $I ${wanted})
      (instance (instantiate $I ${given})))`,
        { f: () => {} },
      ),
    ).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
      message: expect.stringMatching(message),
    })
  })

  it('refuses components that multiply', async () => {
    const levels = Array.from(
      { length: 14 },
      (_, i) =>
        `(component $c${i + 1} (instance (instantiate $c${i})) (instance (instantiate $c${i})))`,
    )
    // Each level holds the one below, as it may reach it only from outside.
    const wat = `(component (component $c0) ${levels
      .map((level, i) =>
        level.replace(`$c${i + 1} `, `$c${i + 1} (alias outer 1 ${i} (component $c${i})) `),
      )
      .join(' ')} (instance (instantiate $c14)))`
    await expect(start(wat)).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
      message: expect.stringMatching(/more than 10000 components/),
    })
  })

  it('refuses types that multiply', async () => {
    const levels = Array.from({ length: 30 }, (_, i) => i + 1)
    const twice = (n: number): string =>
      `(instance $i${n} (export "a" (instance $i${n - 1})) (export "b" (instance $i${n - 1})))`
    const types = levels
      .map(
        (n) =>
          `(type $t${n} (instance (alias outer 1 $t${n - 1} (type $t))
            (export "a" (instance (type $t))) (export "b" (instance (type $t)))))`,
      )
      .join(' ')
    const wat = `(component (import "f" (func $f)) (instance $i0 (export "f" (func $f)))
      ${levels.map(twice).join(' ')}
      (component $I (type $t0 (instance (export "f" (func)))) ${types} (import "i" (instance (type $t30))))
      (instance (instantiate $I (with "i" (instance $i30)))))`
    await expect(start(wat, { f: () => {} })).rejects.toMatchObject({
      code: 'ERR_LIMIT_EXCEEDED',
      message: expect.stringMatching(/more than 1000000 definitions/),
    })
  })

  it.each([
    ['returns something borrowed', '(result (option (borrow $R)))', /returns something borrowed/],
    [
      'has a stream of something borrowed',
      '(param "s" (stream (tuple u8 (borrow $R))))',
      /a stream of something borrowed/,
    ],
  ])('refuses a function that %s', async (_, type, message) => {
    // Resolved when it is called, as all types are.
    const nested = `(component $I (import "R" (type $R (sub resource))) (import "f" (func ${type})))`
    await expect(
      start(
        `(component (import "R" (type $R (sub resource))) (import "f" (func $f)) ${nested}
        (instance (instantiate $I (with "R" (type $R)) (with "f" (func $f)))))`,
        { f: () => {} },
      ),
    ).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
      message: expect.stringMatching(message),
    })
  })

  it('says which definition doesn’t fit', async () => {
    await expect(
      start(
        '(component (import "f" (func $f)) (component $I (import "f" (instance))) (instance (instantiate $I (with "f" (func $f)))))',
        { f: () => {} },
      ),
    ).rejects.toThrow(/is a func, not a instance \(at byte \d+\)$/)
  })

  it('refuses an import that no host has, and says which', async () => {
    const compiled = await compileComponent(
      parseComponent(await parse('(component (import "my:own/thing@1.0.0" (instance)))')),
    )
    await expect(
      instantiateComponent(compiled, { imports: () => undefined }),
    ).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringContaining('my:own/thing@1.0.0'),
    })
  })
})
