import type { Ledger } from '../../budget.ts'

/** A ledger that charges nothing, for resources that no guest caused. */
export const FREE: Ledger = { charge() {}, release() {} }

/** Something a guest can wait for. `wait` may resolve early: ask `ready` again. */
export interface Pollable {
  ready(): boolean
  wait(): Promise<unknown>
  /** Called when the pollable is no longer used; releases pending waiters. */
  drop?(): void
}

export interface InputStream {
  readonly pollable: Pollable
  /** Returns available bytes, at most `max`; empty when none are available yet, `undefined` at the end. Throws when the source failed. */
  read(max: number): Uint8Array | undefined
  close(): void
}

export interface OutputStream {
  readonly pollable: Pollable
  /** Bytes that can be written now; `undefined` once the reader is gone. */
  room(): number | undefined
  write(bytes: Uint8Array): void
  close(): void
}

export const READY: Pollable = { ready: () => true, wait: () => Promise.resolve() }

/** Calls `then` synchronously when the pollable is ready, so that a guest needs JSPI only for real waits. */
export function whenReady<T>(pollable: Pollable, then: () => T): T | Promise<T> {
  if (pollable.ready()) return then()
  return (async () => {
    while (!pollable.ready()) await pollable.wait()
    return then()
  })()
}

/** Waiters of each pollable. `wait` is called once per pollable, regardless of the number of waiters. */
const waiting = new WeakMap<Pollable, Set<() => void>>()

/** Resolves when one of the pollables may be ready, and removes its waiters from the others. */
export function waitForAny(pollables: Iterable<Pollable>): Promise<void> {
  const distinct = new Set(pollables)
  return new Promise((resolve) => {
    const wake = (): void => {
      for (const pollable of distinct) waiting.get(pollable)?.delete(wake)
      resolve()
    }
    for (const pollable of distinct) {
      let wakes = waiting.get(pollable)
      if (wakes === undefined) {
        const all = new Set<() => void>()
        waiting.set(pollable, (wakes = all))
        void pollable
          .wait()
          .catch(() => {})
          .then(() => {
            waiting.delete(pollable)
            for (const one of all) one()
          })
      }
      wakes.add(wake)
    }
  })
}

export function createBytesInput(bytes: Uint8Array): InputStream {
  let at = 0
  return {
    pollable: READY,
    read(max) {
      if (at >= bytes.length) return undefined
      const part = bytes.subarray(at, at + max)
      at += part.length
      return part
    },
    close() {},
  }
}

/**
 * A guest's input stream over a web stream, read on demand. Buffered bytes are charged to `ledger`;
 * `overhead` bytes are already charged and are released at the end.
 */
export function createWebInput(
  source: ReadableStream<Uint8Array>,
  ledger: Ledger = FREE,
  overhead = 0,
): InputStream {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  let chunk: Uint8Array = new Uint8Array()
  let charged = 0
  let overheadLeft = overhead
  let ended = false
  let failure: { readonly error: unknown } | undefined
  let pending: Promise<void> | undefined
  const settle = (): void => {
    ledger.release(charged)
    charged = 0
  }
  const end = (): void => {
    ended = true
    ledger.release(overheadLeft)
    overheadLeft = 0
  }
  const start = (): Promise<void> => {
    reader ??= source.getReader()
    pending ??= reader
      .read()
      .then(({ done, value }) => {
        if (done || ended) end()
        else {
          ledger.charge(value.length)
          charged = value.length
          chunk = value
        }
      })
      .catch((error: unknown) => {
        failure = { error }
        end()
      })
      .then(() => {
        pending = undefined
      })
    return pending
  }
  const settled = (): boolean => chunk.length > 0 || ended || failure !== undefined
  return {
    pollable: {
      ready() {
        if (!settled()) void start()
        return settled()
      },
      wait: start,
    },
    read(max) {
      if (chunk.length > 0) {
        const part = chunk.subarray(0, max)
        chunk = chunk.subarray(part.length)
        if (chunk.length === 0) settle()
        return part
      }
      if (failure !== undefined) throw failure.error
      if (ended) return undefined
      void start()
      return chunk
    },
    close() {
      end()
      chunk = new Uint8Array()
      settle()
      // A locked source is cancelled through its reader. Failures are ignored: nothing reads the source any more.
      void (reader === undefined ? source.cancel() : reader.cancel()).catch(() => {})
    },
  }
}

/** Receives complete lines; `ledger` is charged for an incomplete one. */
interface LineSink {
  readonly line: (text: string) => void
  /** Backpressure. Default: always ready. */
  readonly pollable?: Pollable
  readonly ledger?: Ledger
}

/** An output stream that emits complete lines; the remainder at the end is emitted as a line. */
export function createLineOutput({
  line,
  pollable = READY,
  ledger = FREE,
}: LineSink): OutputStream {
  // Longer lines are split: a guest that never ends a line must not fill memory.
  const longest = 64 * 1024
  const decoder = new TextDecoder()
  let rest = ''
  let held = 0
  const emit = (final: boolean): void => {
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > longest || (final && rest !== '')) {
      lines.push(rest)
      rest = ''
    }
    for (const one of lines) line(one.endsWith('\r') ? one.slice(0, -1) : one)
    const before = held
    held = 2 * rest.length
    ledger.release(before)
    ledger.charge(held)
  }
  return {
    pollable,
    room: () => (pollable.ready() ? longest : 0),
    write(bytes) {
      rest += decoder.decode(bytes, { stream: true })
      emit(false)
    },
    close: () => emit(true),
  }
}
