import type { MovingStorage, Storage } from '../../../src/serve/storage/port.ts'

/**
 * Lets several actors take turns: each call to the storage waits for its own. Long runs of one
 * actor and few switches find more than a fair mixture does: what breaks needs a pause in the wrong place.
 * @param seen What is read of it.
 */
export function createTurns(inner: MovingStorage, seen: Storage = inner) {
  const waiting: (() => void)[][] = []
  const ended = new Set<number>()
  const calm = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  const viewOf = (actor: number): Storage => {
    const queue = (waiting[actor] ??= [])
    const turn = (): Promise<void> => new Promise((resolve) => void queue.push(resolve))
    const view: MovingStorage = {
      get: async (key, options) => (await turn(), seen.get(key, options)),
      head: async (key) => (await turn(), seen.head(key)),
      put: async (key, body, options) => (await turn(), inner.put(key, body, options)),
      delete: async (key) => (await turn(), inner.delete(key)),
      move: async (from, to, options) => (await turn(), inner.move(from, to, options)),
      list: async (prefix, options) => (await turn(), seen.list(prefix, options)),
    }
    return view
  }
  const go = async (actor: number, calls: number): Promise<void> => {
    const queue = waiting[actor]!
    for (let i = 0; i < calls; i++) {
      while (queue.length === 0 && !ended.has(actor)) await calm()
      if (queue.length === 0) return
      queue.shift()!()
      await calm()
    }
  }
  return {
    viewOf,
    /** Runs all to their end: first as the plan says, then one after the other. */
    async play(work: readonly Promise<void>[], plan: readonly Segment[]): Promise<void> {
      const all = work.map((promise, actor) => promise.finally(() => ended.add(actor)))
      const failed = Promise.all(all)
      failed.catch(() => {})
      for (const { actor, calls } of plan) await go(actor % work.length, calls)
      for (const actor of work.keys()) await go(actor, Infinity)
      await failed
    },
  }
}

export interface Segment {
  readonly actor: number
  readonly calls: number
}
