// A guest of WASI 0.3 that asks a store for many values at once, each in memory before it can be charged.
import { describe, expect, it } from 'vitest'
import { createBudget } from '../../src/run/budget.ts'
import { createStore } from '../../src/run/component/abi/handles.ts'
import { callInTurn } from '../../src/run/component/async/host-call.ts'
import { CANCELLED } from '../../src/run/component/abi/items.ts'
import type { CallControl } from '../../src/run/component/abi/model.ts'
import type { AppHandlerOptions } from '../../src/run/index.ts'
import { attack, BEYOND, hostileGuest3, MiB, times } from '../run/hostile-guest.ts'

const KEY_VALUE = 'spin:key-value/key-value@3.0.0'
const IN_FLIGHT = 64

/** Starts so many reads of the store, and waits for the first. */
const reader = (count: number): Promise<Uint8Array> =>
  hostileGuest3({
    imports: [
      `"${KEY_VALUE}" "[async-lower][static]store.open" (func $open (param i32 i32 i32) (result i32))`,
      `"${KEY_VALUE}" "[async-lower][method]store.get" (func $get (param i32 i32 i32 i32) (result i32))`,
      `"$root" "[waitable-set-new]" (func $set (result i32))`,
      `"$root" "[waitable-join]" (func $join (param i32 i32))`,
    ],
    pages: 80,
    code: `(i64.store (i32.const 512) (i64.const 0x746c7561666564)) (local.set $s (call $set))
      (drop (call $open (i32.const 512) (i32.const 7) (i32.const 0)))
      ${times(
        count,
        `(call $join (i32.shr_u (call $get (i32.load (i32.const 4)) (i32.const 512) (i32.const 7)
           (i32.add (i32.const 600) (i32.mul (i32.const 16) (i32.rem_u (local.get $i) (i32.const 20)))))
           (i32.const 4)) (local.get $s))`,
      )}
      (return (i32.or (i32.const 2) (i32.shl (local.get $s) (i32.const 4))))`,
  })

/** A store whose values arrive together. */
function slowStore(bytes: number) {
  const reads: Array<() => void> = []
  const get = (): Promise<Uint8Array> =>
    new Promise((resolve) => void reads.push(() => resolve(new Uint8Array(bytes))))
  const store = { get, set() {}, delete() {}, keys: () => [] }
  const answer = (): void => {
    for (const read of reads.splice(0)) read()
  }
  return { reads, answer, keyValue: () => store }
}

describe('values that a guest asks for at once', () => {
  it('are asked of the store some at a time', async () => {
    const { reads, answer, keyValue } = slowStore(10)
    const ended = attack(await reader(5000), { jspi: false, keyValue } as AppHandlerOptions)
    while (reads.length < IN_FLIGHT) await new Promise((resolve) => setTimeout(resolve))
    expect(reads).toHaveLength(IN_FLIGHT)
    answer()
    await ended
  })

  it('are charged when they arrive, all before the first is taken', async () => {
    const { reads, answer, keyValue } = slowStore(4 * MiB)
    const ended = attack(await reader(40), { jspi: false, keyValue } as AppHandlerOptions)
    while (reads.length < 40) await new Promise((resolve) => setTimeout(resolve))
    answer()
    const { status, log } = await ended
    expect(status).toBe(500)
    expect(log).toMatch(BEYOND)
  })
})

describe('a call beyond those in flight', () => {
  const start = () => {
    const store = createStore(false, createBudget())
    const begun: number[] = []
    const finish: Array<(value: unknown) => void> = []
    const call = (id: number, control: CallControl = {}): unknown =>
      callInTurn(
        store,
        () => {
          begun.push(id)
          return new Promise((resolve) => void finish.push(resolve))
        },
        control,
      )
    return { store, begun, finish, call }
  }

  it('waits for its turn and is answered', async () => {
    const { begun, finish, call } = start()
    const calls = Array.from({ length: 200 }, (_, id) => call(id))
    expect(begun).toHaveLength(IN_FLIGHT)
    for (let id = 0; id < 200; id++) {
      finish[id]?.(id)
      expect(await calls[id]).toBe(id)
      expect(begun.length).toBeLessThanOrEqual(id + 1 + IN_FLIGHT)
    }
    expect(begun).toEqual(calls.map((_, id) => id))
  })

  it('never begins when it is given up, and others take its turn', async () => {
    const { begun, finish, call } = start()
    for (let id = 0; id < IN_FLIGHT; id++) call(id)
    const control: CallControl = {}
    const givenUp = call(100, control)
    const next = call(101)
    expect(control.cancel?.()).toBe(true)
    expect(await givenUp).toBe(CANCELLED)
    finish[0]?.('done')
    await new Promise((resolve) => setTimeout(resolve))
    expect(begun.at(-1)).toBe(101)
    finish.at(-1)?.('next')
    expect(await next).toBe('next')
    expect(begun).not.toContain(100)
  })

  it('never begins when its guest has ended', async () => {
    const { store, begun, finish, call } = start()
    for (let id = 0; id < IN_FLIGHT; id++) call(id)
    const late = call(100)
    store.failure = new Error('ended')
    finish[0]?.('done')
    expect(await late).toBe(CANCELLED)
    expect(begun).not.toContain(100)
  })
})
