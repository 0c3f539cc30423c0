// A guest that makes its host hold keys: long ones, and the list of all that a store has.
import { describe, expect, it } from 'vitest'
import { createBudget } from '../../src/run/budget.ts'
import type { HostInterface } from '../../src/run/component/abi/items.ts'
import {
  createMemoryKeyValue,
  type KeyValueStore,
} from '../../src/run/host/spin/key-value-store.ts'
import { createKeyValueHosts } from '../../src/run/host/spin/key-value.ts'
import type { Result } from '../../src/run/host/wasi/result.ts'
import { MiB } from '../run/hostile-guest.ts'

type Call = (...args: readonly unknown[]) => Result

const LIMIT = 8 * MiB

function hosts(store: KeyValueStore) {
  const budget = createBudget(LIMIT)
  const all = createKeyValueHosts(['default'], () => store, budget)
  const call = (name: string, fn: string, ...args: unknown[]): unknown =>
    ((all[name] as HostInterface).functions[fn] as unknown as Call)(...args)
  return { budget, call }
}

const INTERFACES = [
  ['fermyon:spin/key-value@2.0.0', '[method]store.get-keys'],
  ['spin:key-value/key-value@3.0.0', '[method]store.get-keys'],
  ['wasi:keyvalue/store@0.2.0-draft2', '[method]bucket.list-keys'],
] as const

describe('the keys of a large store', () => {
  it.each(INTERFACES)('are read no further than the budget goes: %s', async (name, fn) => {
    let read = 0
    function* endless(): Generator<string> {
      for (;;) yield `key ${read++}`
    }
    const store = { ...createMemoryKeyValue(), keys: endless }
    const { budget, call } = hosts(store)
    let exceeded = false
    budget.onExceeded = () => (exceeded = true)
    await call(name, fn, store)
    expect(exceeded).toBe(true)
    expect(read).toBeLessThan(LIMIT / 48)
    expect(budget.held).toBe(0)
  })

  it.each(INTERFACES)('are given to who may hold them: %s', async (name, fn) => {
    const store = createMemoryKeyValue()
    for (let i = 0; i < 1000; i++) await store.set(`key ${i}`, new Uint8Array())
    const { budget, call } = hosts(store)
    const result = await call(name, fn, store)
    expect(JSON.stringify(result)).not.toMatch(/"err"/)
    expect(budget.held).toBeLessThan(1000 * 100)
  })
})

describe('a compare-and-swap', () => {
  it('holds no key that is longer than keys may be', () => {
    const store = createMemoryKeyValue()
    const { call } = hosts(store)
    const made = (key: string): unknown =>
      call('wasi:keyvalue/atomics@0.2.0-draft2', '[static]cas.new', store, key)
    expect(made('k'.repeat(256))).toEqual({
      tag: 'err',
      val: { tag: 'other', val: 'key is longer than 255' },
    })
    expect(made('k'.repeat(255))).toMatchObject({ tag: 'ok' })
  })
})
