import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFairQueue } from '../../src/node/credentials/fair-queue.ts'

describe('a fair queue', () => {
  it('lets clients take turns, each in its own order', () => {
    const queue = createFairQueue<string>(10)
    for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2']) queue.push(item[0]!, item)
    const order = Array.from({ length: 7 }, () => queue.shift())
    expect(order).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', undefined])
  })

  it('drops the newest of the client with the most, and its own when that is as many', () => {
    const queue = createFairQueue<string>(3)
    expect(['a1', 'a2', 'a3'].map((item) => queue.push('a', item))).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    expect(queue.push('a', 'a4')).toBe('a4')
    expect(queue.push('b', 'b1')).toBe('a3')
    expect(queue.push('b', 'b2')).toBe('b2')
    expect(queue.push('c', 'c1')).toBe('a2')
    expect(queue.push('d', 'd1')).toBe('d1')
    expect([queue.shift(), queue.shift(), queue.shift(), queue.shift()]).toEqual([
      'a1',
      'b1',
      'c1',
      undefined,
    ])
  })

  it('never has more than its limit, and loses nothing that it has not handed back', () => {
    const step = fc.option(fc.constantFrom('a', 'b', 'c'))
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step), (limit, steps) => {
        const queue = createFairQueue<number>(limit)
        const inside = new Set<number>()
        for (const [i, client] of steps.entries()) {
          if (client === null) {
            const item = queue.shift()
            expect(item === undefined ? inside.size === 0 : inside.delete(item)).toBe(true)
            continue
          }
          inside.add(i)
          const dropped = queue.push(client, i)
          if (dropped !== undefined) expect(inside.delete(dropped)).toBe(true)
          expect(inside.size).toBeLessThanOrEqual(limit)
        }
      }),
    )
  })
})
