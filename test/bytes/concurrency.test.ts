import { describe, expect, it } from 'vitest'
import { forEachBounded, mapBounded } from '../../src/bytes/concurrency.ts'

const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1))

describe('bounded concurrency', () => {
  it('keeps at most the limit in flight and the order of results', async () => {
    let now = 0
    let most = 0
    const results = await mapBounded([...Array(20).keys()], 3, async (item) => {
      most = Math.max(most, ++now)
      await tick()
      now--
      return item * 2
    })
    expect(results).toEqual([...Array(20).keys()].map((item) => item * 2))
    expect(most).toBe(3)
  })

  it('starts nothing after a failure, waits for what runs, and rejects with the first', async () => {
    const started: number[] = []
    let ended = 0
    const first = new Error('first')
    await expect(
      forEachBounded([0, 1, 2, 3, 4, 5], 2, async (item, signal) => {
        started.push(item)
        await tick()
        if (item === 1) throw first
        await tick()
        ended++
        if (signal.aborted) throw signal.reason
      }),
    ).rejects.toBe(first)
    expect(started).toEqual([0, 1])
    expect(ended).toBe(1)
  })

  it('rejects with the reason itself when aborted', async () => {
    const abort = new AbortController()
    const reason = new Error('enough')
    const work = forEachBounded(
      [1, 2, 3],
      1,
      async () => {
        abort.abort(reason)
      },
      abort.signal,
    )
    await expect(work).rejects.toBe(reason)
  })

  it('closes an async source that it leaves early', async () => {
    let closed = false
    async function* source(): AsyncGenerator<number> {
      try {
        for (let i = 0; ; i++) yield i
      } finally {
        closed = true
      }
    }
    await expect(
      forEachBounded(source(), 2, async (item) => {
        if (item === 5) throw new Error('stop')
      }),
    ).rejects.toThrow('stop')
    expect(closed).toBe(true)
  })
})
