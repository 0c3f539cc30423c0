import { describe, expect, it, vi } from 'vitest'
import {
  createHostFuture,
  createHostStream,
} from '../../../src/run/component/async/host-transfer.ts'
import type { Copy } from '../../../src/run/component/abi/transfer.ts'
import { later } from './async-guests.ts'

describe('what a host has for a guest', () => {
  const copies = (): { readonly copy: Copy; readonly results: number[] } => {
    const results: number[] = []
    const buffer = {
      length: 1,
      progress: 0,
      take: () => [],
      put: () => void buffer.progress++,
      fail: () => {},
    }
    return { copy: { buffer, some: () => {}, done: (result) => results.push(result) }, results }
  }

  it('is waited for once, however often a guest reads a stream and gives it up', async () => {
    let waits = 0
    let wake = (): void => {}
    let ready = false
    const stream = createHostStream({
      ready: () => ready,
      wait: () => new Promise<void>((resolve) => ((wake = resolve), waits++)),
      read: () => [1],
      close: () => {},
    })
    for (let i = 0; i < 100; i++) {
      const { copy } = copies()
      stream.read(copy)
      stream.cancel(copy)
    }
    expect(waits).toBe(1)
    const { copy, results } = copies()
    stream.read(copy)
    ready = true
    wake()
    await later(0)
    expect([results, copy.buffer.progress]).toEqual([[0], 1])
  })

  it('is waited for once, however often a guest reads a future and gives it up', async () => {
    let settle = (_: number): void => {}
    const value = new Promise<number>((resolve) => (settle = resolve))
    const then = vi.spyOn(value, 'then')
    const future = createHostFuture(value)
    for (let i = 0; i < 100; i++) {
      const { copy } = copies()
      future.read(copy)
      future.cancel(copy)
    }
    expect(then).toHaveBeenCalledTimes(1)
    const { copy, results } = copies()
    future.read(copy)
    settle(5)
    await later(0)
    expect([results, copy.buffer.progress]).toEqual([[0], 1])
  })
})
