import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTimedReader, IDLE_TIMEOUT, MIN_RATE } from '../../src/http/timed-reader.ts'

// A server that sends a byte now and then was read for ever: each one began the time anew.

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** An answer that sends `size` bytes each `every` milliseconds; for ever, or `count` times. */
function dripping(size: number, every: number, count = Infinity) {
  let sent = 0
  let isLeft = false
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (sent++ === count) return controller.close()
        await new Promise((resolve) => setTimeout(resolve, every))
        if (!isLeft) controller.enqueue(new Uint8Array(size))
      },
      cancel() {
        isLeft = true
      },
    },
    { highWaterMark: 0 },
  )
  return { response: new Response(body), isLeft: () => isLeft }
}

async function readAll(response: Response, idleTimeout: number | false = IDLE_TIMEOUT) {
  const began = Date.now()
  const reader = createTimedReader(response, idleTimeout, 'the download', undefined)
  let bytes = 0
  const work = (async () => {
    for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next())
      bytes += chunk.length
  })().finally(() => reader.end())
  const outcome = work.then(
    () => ({ bytes, error: undefined, took: Date.now() - began }),
    (error: Error) => ({ bytes, error, took: Date.now() - began }),
  )
  await vi.advanceTimersByTimeAsync(60 * 60_000)
  return outcome
}

describe('a download', () => {
  it.each([
    [1, 5000],
    [1, 59_000],
    [1000, 1000],
    [MIN_RATE * 30, 61_000],
  ])('of %i bytes each %i ms is given up after the idle timeout', async (size, every) => {
    const { response, isLeft } = dripping(size, every)
    const { error, took } = await readAll(response)
    expect(error).toMatchObject({ code: 'ERR_TIMEOUT', remedy: { option: 'idleTimeout' } })
    expect(took).toBe(IDLE_TIMEOUT)
    expect(isLeft()).toBe(true)
  })

  it.each([
    [MIN_RATE + 32, 1000, 300],
    [MIN_RATE * 60, 59_000, 20],
    [10, 5000, 5],
  ])('of %i bytes each %i ms, %i times, comes to its end', async (size, every, count) => {
    const { error, bytes } = await readAll(dripping(size, every, count).response)
    expect(error).toBeUndefined()
    expect(bytes).toBe(size * count)
  })

  it('may take any time with `false`', async () => {
    const { error, bytes } = await readAll(dripping(1, 100_000, 30).response, false)
    expect(error).toBeUndefined()
    expect(bytes).toBe(30)
  })

  it('is not given up for the time that its reader takes', async () => {
    const { response } = dripping(1, 10, 20)
    const reader = createTimedReader(response, IDLE_TIMEOUT, 'the download', undefined)
    const work = (async () => {
      for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next())
        await new Promise((resolve) => setTimeout(resolve, 30_000))
    })()
    await vi.advanceTimersByTimeAsync(60 * 60_000)
    await expect(work).resolves.toBeUndefined()
  })
})
