import type { HostSource } from '../../component/async/host-transfer.ts'
import {
  createHostFuture,
  createHostStream,
  readItems,
} from '../../component/async/host-transfer.ts'
import type { Ledger } from '../../budget.ts'
import type { Readable } from '../../component/abi/transfer.ts'
import { err, ok, type Result } from '../wasi/result.ts'
import { READY, type InputStream } from '../wasi/streams.ts'

// Bytes per read from a guest.
const CHUNK = 64 * 1024
// Items, other than bytes, per read of a guest.
const ITEMS_AT_ONCE = 1024

/** A stream, and a future of its outcome. */
export type StreamAndOutcome = readonly [stream: Readable, outcome: Readable]

/** Bytes for a guest. `outcome` makes of the failure that ended them, if any did, what their future says. */
export function streamOf(
  input: InputStream,
  outcome: (failure: unknown) => Result = (failure) =>
    failure === undefined ? ok() : err({ tag: 'io' }),
): StreamAndOutcome {
  let finish = (_: Result): void => {}
  const finished = new Promise<Result>((resolve) => (finish = resolve))
  const source: HostSource = {
    ready: () => input.pollable.ready(),
    wait: () => input.pollable.wait(),
    read(max) {
      try {
        const bytes = input.read(max)
        if (bytes === undefined) finish(outcome(undefined))
        return bytes
      } catch (error) {
        finish(outcome(error))
        return undefined
      }
    },
    close() {
      input.close()
      // Nobody reads on: it ended as far as anybody wanted it.
      finish(outcome(undefined))
    },
  }
  return [createHostStream(source), createHostFuture(finished)]
}

/** Items that are all there, or made as they are read. `onEnd` is called when nobody reads them any more. */
export function streamOfItems(
  items: Iterable<unknown>,
  outcome: Result = ok(),
  onEnd: () => void = () => {},
): StreamAndOutcome {
  const iterator = items[Symbol.iterator]()
  const stream = createHostStream({
    ...READY,
    read(max) {
      const part: unknown[] = []
      while (part.length < Math.min(max, ITEMS_AT_ONCE)) {
        const next = iterator.next()
        if (next.done === true) break
        part.push(next.value)
      }
      return part.length === 0 && max > 0 ? undefined : part
    },
    close: onEnd,
  })
  return [stream, createHostFuture(outcome)]
}

/** The next bytes of a guest's, paid for by `ledger` until they are handed on. */
async function readBytes(readable: Readable, ledger: Ledger): Promise<Uint8Array | undefined> {
  let held = 0
  const bytes = await readItems(readable, CHUNK, ({ length }) => {
    ledger.charge(length)
    held += length
  })
  ledger.release(held)
  return bytes as Uint8Array | undefined
}

/** What a guest writes, as a web stream with back pressure: the guest is asked when the reader asks. */
export function webStreamOf(
  readable: Readable,
  onEnd: () => Promise<void>,
  ledger: Ledger,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const bytes = await readBytes(readable, ledger)
        if (bytes === undefined) {
          await onEnd()
          controller.close()
        } else if (bytes.length > 0) controller.enqueue(bytes)
      },
      cancel: () => readable.drop(),
    },
    { highWaterMark: 0 },
  )
}

/** Reads a guest's stream to its end. */
export async function drain(
  readable: Readable,
  take: (bytes: Uint8Array) => void | Promise<void>,
  ledger: Ledger,
): Promise<void> {
  for (;;) {
    const bytes = await readBytes(readable, ledger)
    if (bytes === undefined) return
    await take(bytes)
  }
}
