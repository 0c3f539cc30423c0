// A guest that takes memory by its instances: many of them, each with much, or by what no memory is.
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { describe, expect, it } from 'vitest'
import { createBudget } from '../../src/run/budget.ts'
import { compileComponent } from '../../src/run/component/compile.ts'
import { instantiateComponent } from '../../src/run/component/instantiate.ts'
import { parseComponent } from '../../src/run/component/binary/parse.ts'
import { attack, BEYOND, hostileGuest, MiB } from '../run/hostile-guest.ts'

const LIMIT = 64 * MiB

/** What instantiating a component ends with, and what its budget holds then. */
async function instantiate(wat: string, call?: string) {
  const compiled = await compileComponent(parseComponent(await parse(wat)), { maxMemory: LIMIT })
  const budget = createBudget(LIMIT)
  const outcome = instantiateComponent(compiled, { imports: () => undefined, jspi: false, budget })
    .then((app) => (call === undefined ? undefined : app.call([call])))
    .catch((error: unknown) => error)
  return { outcome: await outcome, budget }
}

const many = (count: number, text: string): string =>
  Array.from({ length: count }, () => text).join('\n')

const EXCEEDED = expect.objectContaining({ code: 'ERR_LIMIT_EXCEEDED' })

describe('instances of one request', () => {
  it.each([
    ['60 memories that begin with 10 MiB each', `(core module $m (memory 160))`, 60],
    ['60 that grow by 10 MiB each as they start', GROWING(160), 60],
    [
      '2 000 without any memory and 10 000 functions',
      `(core module $m ${many(10_000, '(func)')})`,
      2000,
    ],
    ['60 tables of a million', '(core module $m (table 1000000 funcref))', 60],
  ])('can’t have more than the limit together: %s', async (_, module, count) => {
    const { outcome, budget } = await instantiate(
      `(component ${module} ${many(count, '(core instance (instantiate $m))')})`,
    )
    expect(outcome).toEqual(EXCEEDED)
    expect(budget.held).toBeLessThanOrEqual(LIMIT)
  })

  it('share what there is, whoever grows first', async () => {
    const { outcome, budget } = await instantiate(
      `(component
        (core module $m (memory 1)
          (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))
        (core instance $a (instantiate $m)) (core instance $b (instantiate $m))
        (core module $main (import "a" "grow" (func $a (param i32) (result i32)))
          (import "b" "grow" (func $b (param i32) (result i32)))
          (func (export "run") (result i32)
            ;; 50 MiB of one, then no 50 of the other, but 10.
            (i32.add (i32.mul (call $a (i32.const 800)) (i32.const 100))
              (i32.add (i32.mul (call $b (i32.const 800)) (i32.const 10)) (call $b (i32.const 160))))))
        (core instance $i (instantiate $main (with "a" (instance $a)) (with "b" (instance $b))))
        (func (export "run") (result s32) (canon lift (core func $i "run"))))`,
      'run',
    )
    expect(outcome).toBe(1 * 100 + -1 * 10 + 1)
    expect(budget.wasRefused).toBe(true)
    expect(budget.held).toBeLessThanOrEqual(LIMIT)
  })
})

/** A module that grows by so many pages when it starts, and traps when it may not. */
function GROWING(pages: number): string {
  return `(core module $m (memory 1) (func $start
    (if (i32.eq (memory.grow (i32.const ${pages})) (i32.const -1)) (then unreachable))) (start $start))`
}

describe('a request', () => {
  it('says in its log that memory was refused, where its guest ends for it', async () => {
    const bomb = `(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable`
    const { status, log } = await attack(await hostileGuest({ uses: [], code: bomb }))
    expect(status).toBe(500)
    expect(log).toMatch(/unreachable.*refused memory/)
    expect(log).toMatch(BEYOND)
  })

  it('is refused before it begins, where tables take too much', async () => {
    const more = '(table 1000000 funcref) (table 1000000 funcref) (table 1000000 funcref)'
    const { status, log } = await attack(await hostileGuest({ uses: [], more, code: '' }))
    expect(status).toBe(500)
    expect(log).toMatch(BEYOND)
  })
})
