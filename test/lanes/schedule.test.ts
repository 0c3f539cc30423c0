import { describe, expect, it } from 'vitest'
import { schedule } from './schedule.mjs'

/** Jobs that take one turn of the event loop each, and what happened. */
function record(...jobs: { name: string; width: number; after?: string; turns?: number }[]) {
  const events: string[] = []
  let used = 0
  let most = 0
  const runs = jobs.map(({ turns = 1, ...job }) => ({
    ...job,
    run: async () => {
      events.push(`+${job.name}`)
      most = Math.max(most, (used += job.width))
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
      used -= job.width
      events.push(`-${job.name}`)
    },
  }))
  return { runs, events, most: () => most }
}

describe('jobs of a schedule', () => {
  it('start in order while there is room, and never take more', async () => {
    const { runs, events, most } = record(
      { name: 'a', width: 2, turns: 3 },
      { name: 'b', width: 2 },
      { name: 'c', width: 1 },
    )
    await schedule(runs, 3)
    expect(events.slice(0, 2)).toEqual(['+a', '+c'])
    expect(events.at(-1)).toBe('-b')
    expect(most()).toBe(3)
  })

  it('wait for the one that they name', async () => {
    const { runs, events } = record(
      { name: 'lane', width: 1, after: 'build' },
      { name: 'build', width: 1, turns: 3 },
      { name: 'types', width: 1 },
    )
    await schedule(runs, 9)
    expect(events).toEqual(['+build', '+types', '-types', '-build', '+lane', '-lane'])
  })

  it('wait for nothing that is not run', async () => {
    const { runs, events } = record({ name: 'lane', width: 1, after: 'build' })
    await schedule(runs, 1)
    expect(events).toEqual(['+lane', '-lane'])
  })

  it('run alone where they are wider than the capacity', async () => {
    const { runs, events } = record({ name: 'a', width: 1 }, { name: 'wide', width: 8 })
    await schedule(runs, 2)
    expect(events).toEqual(['+a', '-a', '+wide', '-wide'])
  })

  it('that wait for each other are an error', async () => {
    const { runs } = record(
      { name: 'a', width: 1, after: 'b' },
      { name: 'b', width: 1, after: 'a' },
    )
    await expect(schedule(runs, 2)).rejects.toThrow('a waits for a job that never ends')
  })

  it('that fail end the schedule', async () => {
    const failing = { name: 'a', width: 1, run: () => Promise.reject(new Error('broken')) }
    await expect(schedule([failing], 1)).rejects.toThrow('broken')
  })
})
