import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTimer } from '../../../src/run/host/wasi/clocks.ts'
import { sendRequest } from '../../../src/run/host/wasi/http-outgoing.ts'
import { ioPoll } from '../../../src/run/host/wasi/io.ts'
import { READY, type Pollable } from '../../../src/run/host/wasi/streams.ts'
import { clocks3 } from '../../../src/run/host/wasi3/clocks.ts'

const poll = ioPoll.functions['poll'] as unknown as (list: Pollable[]) => Promise<number[]>
const drop = ioPoll.functions['[resource-drop]pollable'] as unknown as (one: Pollable) => void
const HOUR = 3_600_000_000_000n

describe('a timer of a guest', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('is one, however often the guest polls with it', async () => {
    const timer = createTimer(HOUR)
    for (let i = 0; i < 3; i++) {
      let wake = (): void => {}
      let ready = false
      const other: Pollable = {
        ready: () => ready,
        wait: () => new Promise<void>((resolve) => (wake = resolve)),
      }
      const polled = poll([timer, other])
      ready = true
      wake()
      expect(await polled).toEqual([1])
    }
    expect(vi.getTimerCount()).toBe(1)
  })

  it('is gone with the guest’s handle, and lets go who waits for it', async () => {
    const timer = createTimer(HOUR)
    const polled = poll([timer])
    expect(vi.getTimerCount()).toBe(1)
    drop(timer)
    expect(vi.getTimerCount()).toBe(0)
    expect(await polled).toEqual([0])
  })

  it('fires when it is due', async () => {
    const timer = createTimer(5_000_000n)
    const polled = poll([timer])
    await vi.advanceTimersByTimeAsync(10)
    expect(await polled).toEqual([0])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is stopped with the call of WASI 0.3 that waits for it', async () => {
    const waitFor = clocks3['wasi:clocks/monotonic-clock']?.functions['wait-for'] as unknown as (
      nanos: bigint,
    ) => Promise<void> & { stop(): void }
    const waiting = waitFor(HOUR)
    expect(vi.getTimerCount()).toBe(1)
    waiting.stop()
    expect(vi.getTimerCount()).toBe(0)
    await waiting
  })

  it('is none for what is ready', () => {
    expect(() => drop(READY)).not.toThrow()
  })
})

describe('the time that a guest gives a response to begin', () => {
  it('may be longer than timers are', async () => {
    const sending = sendRequest(
      ({ signal }) =>
        new Promise((resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason))
          setTimeout(() => resolve(new Response('late')), 30)
        }),
      new URL('http://up.example/'),
      { method: 'GET', headers: new Headers(), body: undefined, firstByte: 2n ** 64n - 1n },
    )
    expect((await sending?.settled)?.tag).toBe('ok')
  })
})
