import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLimiter } from '../../src/http/limiter.ts'

describe('the rate limit of a host', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  /** Milliseconds until the limiter lets a request go. */
  async function waitOf(turn: Promise<void>): Promise<number> {
    const before = Date.now()
    let passed = false
    void turn.then(() => (passed = true))
    for (let ms = 0; ms < 20_000; ms++) {
      await vi.advanceTimersByTimeAsync(ms === 0 ? 0 : 1)
      if (passed) return Date.now() - before
    }
    throw new Error('never')
  }

  it('is absent before a 429', async () => {
    const limiter = createLimiter()
    for (let count = 0; count < 100; count++) expect(await waitOf(limiter.turn())).toBe(0)
  })

  it('pauses as requested, then lowers the rate and raises it again', async () => {
    const limiter = createLimiter()
    limiter.slow(500)
    expect(await waitOf(limiter.turn())).toBe(500)
    expect(await waitOf(limiter.turn())).toBe(30)
    for (let count = 0; count < 100; count++) limiter.ease()
    await waitOf(limiter.turn())
    expect(await waitOf(limiter.turn())).toBe(0)
  })

  it('never leaves more than a second between requests', async () => {
    const limiter = createLimiter()
    for (let count = 0; count < 50; count++) limiter.slow(0)
    await waitOf(limiter.turn())
    expect(await waitOf(limiter.turn())).toBe(1000)
  })

  it('rejects a waiting request on abort', async () => {
    const limiter = createLimiter()
    limiter.slow(10_000)
    const abort = new AbortController()
    const turn = limiter.turn(abort.signal)
    abort.abort('enough')
    await expect(turn).rejects.toBe('enough')
  })
})
