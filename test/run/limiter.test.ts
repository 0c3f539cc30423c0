import { describe, expect, it } from 'vitest'
import { createLimiter, type Limiter, type Place } from '../../src/run/http/limiter.ts'

const { signal } = new AbortController()
const evicted: string[] = []
const take = (limiter: Limiter, name = ''): Promise<Place> =>
  limiter.acquire(signal, () => void evicted.push(name))
const isIn = async (taken: Promise<Place>): Promise<boolean> => {
  let isSettled = false
  void taken.then(() => (isSettled = true))
  await new Promise((resolve) => setTimeout(resolve))
  return isSettled
}

describe('places for guests', () => {
  it('are as many as the limit, in order', async () => {
    const limiter = createLimiter(1)
    const first = await take(limiter)
    const [second, third] = [take(limiter), take(limiter)]
    expect([await isIn(second), await isIn(third)]).toEqual([false, false])
    first.release()
    first.release()
    expect([await isIn(second), await isIn(third)]).toEqual([true, false])
  })

  it('are left by who gives up', async () => {
    const limiter = createLimiter(1)
    const first = await take(limiter)
    const abort = new AbortController()
    const gone = limiter.acquire(abort.signal, () => {})
    const next = take(limiter)
    abort.abort(new Error('gone'))
    await expect(gone).rejects.toThrow('gone')
    first.release()
    expect(await isIn(next)).toBe(true)
  })

  it('are not taken by guests that wait for their clients', async () => {
    const limiter = createLimiter(1)
    const slow = await take(limiter)
    const next = take(limiter)
    slow.wait()
    expect(await isIn(next)).toBe(true)
    // Both ends of an exchange: it waits until it has what it needs of each.
    slow.wait()
    slow.resume()
    slow.resume()
    const third = take(limiter)
    ;(await next).release()
    expect(await isIn(third)).toBe(false)
    slow.release()
    expect(await isIn(third)).toBe(true)
  })

  it('are taken from who waits for the longest, when too many do', async () => {
    evicted.length = 0
    const limiter = createLimiter(2)
    const places: Place[] = []
    for (const name of ['a', 'b', 'c', 'd']) {
      const place = await take(limiter, name)
      place.wait()
      places.push(place)
    }
    places[0]?.resume()
    places[0]?.wait()
    expect(evicted).toEqual([])
    await take(limiter, 'e')
    expect(evicted).toEqual(['b'])
    // What has no place any more changes nothing.
    places[1]?.resume()
    places[1]?.release()
    await take(limiter, 'f')
    expect(evicted).toEqual(['b', 'c'])
    expect(await isIn(take(limiter, 'g'))).toBe(false)
  })

  it('are a positive number', () => {
    expect(() => createLimiter(0)).toThrow(TypeError)
  })
})
