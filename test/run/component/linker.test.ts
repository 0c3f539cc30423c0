import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { describe, expect, it } from 'vitest'
import { compileComponent } from '../../../src/run/component/compile.ts'
import { instantiateComponent } from '../../../src/run/component/instantiate.ts'
import { parseComponent } from '../../../src/run/component/binary/parse.ts'
import { lifted } from './lifted.ts'
import { start } from './start.ts'

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
