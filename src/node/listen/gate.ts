/** Lets so many calls in at once; the others wait in line. */
export function createGate(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  if (!Number.isInteger(limit) || limit < 1)
    throw new TypeError(`"maxOpenFiles" must be a positive integer, not ${limit}`)
  let inside = 0
  const waiting: (() => void)[] = []
  return async (work) => {
    if (inside >= limit) await new Promise<void>((resolve) => waiting.push(resolve))
    else inside++
    try {
      return await work()
    } finally {
      // A place is handed on, not freed: a newcomer must not slip in before those who wait.
      const next = waiting.shift()
      if (next === undefined) inside--
      else next()
    }
  }
}
