import { isPromise } from '../abi/runtime.ts'
import { COMPLETED, DROPPED, roomOf, STOPPED, type Copy, type Readable } from '../abi/transfer.ts'

/** Items that the host has for a guest, asked for when the guest reads. */
export interface HostSource {
  ready(): boolean
  /** May resolve early: ask `ready` again. */
  wait(): Promise<unknown>
  /** What is there, up to `max` items; empty while nothing is, `undefined` at the end. */
  read(max: number): ArrayLike<unknown> | undefined
  close(): void
}

/** A stream for a guest. When the source fails the stream ends: a future beside it says why. */
export function createHostStream(source: HostSource): Readable {
  let pending: Copy | undefined
  let ended = false
  let waits = false
  const finish = (result: typeof COMPLETED | typeof DROPPED | typeof STOPPED): void => {
    const copy = pending
    pending = undefined
    copy?.done(result)
  }
  const close = (): void => {
    if (ended) return
    ended = true
    source.close()
  }
  /** Once, however often the guest reads and gives it up meanwhile. */
  const wait = ({ buffer }: Copy): void => {
    if (waits) return
    waits = true
    source
      .wait()
      .then(() => {
        waits = false
        advance()
      })
      .catch(buffer.fail)
  }
  const advance = (): void => {
    if (pending === undefined) return
    if (ended) return finish(DROPPED)
    if (!source.ready()) return wait(pending)
    const { buffer } = pending
    // A read of nothing asks whether there is something.
    if (buffer.length === 0) return finish(COMPLETED)
    const items = next(source, roomOf(buffer))
    if (items === undefined) {
      close()
      return finish(DROPPED)
    }
    if (items.length === 0) return wait(pending)
    buffer.put(items)
    finish(COMPLETED)
  }
  return {
    read(copy) {
      pending = copy
      advance()
    },
    cancel(copy) {
      if (pending === copy) finish(STOPPED)
    },
    drop: close,
  }
}

function next(source: HostSource, max: number): ArrayLike<unknown> | undefined {
  try {
    return source.read(max)
  } catch {
    return undefined
  }
}

/** A future for a guest. */
export function createHostFuture(value: unknown): Readable {
  let pending: Copy | undefined
  let waits = false
  const finish = (settled: unknown): void => {
    const copy = pending
    pending = undefined
    copy?.buffer.put([settled])
    copy?.done(COMPLETED)
  }
  return {
    read(copy) {
      pending = copy
      if (!isPromise(value)) return finish(value)
      if (waits) return
      waits = true
      value
        .then((settled) => {
          waits = false
          finish(settled)
        })
        .catch(copy.buffer.fail)
    },
    cancel(copy) {
      if (pending !== copy) return
      pending = undefined
      copy.done(STOPPED)
    },
    drop() {},
  }
}

/**
 * The next items of a guest's stream, up to `max`; `undefined` at its end. `onItems` is called while the
 * guest still writes them: many streams may have theirs before any Promise resolves. What it throws ends
 * the guest.
 */
export function readItems(
  readable: Readable,
  max: number,
  onItems: (items: ArrayLike<unknown>) => void = () => {},
): Promise<ArrayLike<unknown> | undefined> {
  return new Promise((resolve, reject) => {
    let got: ArrayLike<unknown> = []
    const buffer = {
      length: max,
      progress: 0,
      take: () => [],
      put(items: ArrayLike<unknown>) {
        onItems(items)
        got = items
        buffer.progress += items.length
      },
      fail: reject,
    }
    readable.read({
      buffer,
      some(reclaim) {
        reclaim()
        resolve(got)
      },
      done: (result) => resolve(result === COMPLETED || got.length > 0 ? got : undefined),
    })
  })
}

/** What a guest writes into its future; `undefined` when it never will. `onValue` is called as `onItems` is. */
export async function readFuture(
  readable: Readable,
  onValue: (value: unknown) => void = () => {},
): Promise<unknown> {
  const items = await readItems(readable, 1, (given) => onValue(given[0]))
  return items?.[0]
}
