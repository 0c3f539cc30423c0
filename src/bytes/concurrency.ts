/**
 * Runs `work` over all items, at most `limit` at once, in order of start.
 *
 * The first failure aborts the signal that the others were given; the call rejects with that
 * failure once all have stopped, so that nothing goes on behind the caller's back.
 */
export async function forEachBounded<T>(
  items: Iterable<T> | AsyncIterable<T>,
  limit: number,
  work: (item: T, signal: AbortSignal) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  if (!Number.isInteger(limit) || limit < 1)
    throw new TypeError(`"concurrency" must be a positive integer, not ${limit}`)
  signal?.throwIfAborted()
  const stop = new AbortController()
  const inner = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
  const iterator =
    Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
  let failure: { readonly error: unknown } | undefined
  // Async iterators hand out one item at a time; workers queue for it.
  let turn: Promise<unknown> = Promise.resolve()
  const take = (): Promise<IteratorResult<T>> => {
    const next = turn.then(() => iterator.next())
    turn = next.catch(() => {})
    return next
  }
  const worker = async (): Promise<void> => {
    try {
      for (;;) {
        if (inner.aborted) return
        const { done, value } = await take()
        if (done === true) return
        await work(value as T, inner)
      }
    } catch (error) {
      failure ??= { error }
      stop.abort(error)
    }
  }
  await Promise.all(Array.from({ length: limit }, worker))
  if (signal?.aborted === true || failure !== undefined) await iterator.return?.()
  signal?.throwIfAborted()
  if (failure !== undefined) throw failure.error
}

/** As `forEachBounded`, with results in the order of the items. */
export async function mapBounded<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, signal: AbortSignal) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  const results = new Array<R>(items.length)
  await forEachBounded(
    items.keys(),
    limit,
    async (index, inner) => {
      results[index] = await work(items[index] as T, inner)
    },
    signal,
  )
  return results
}
