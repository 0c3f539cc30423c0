import { FREE, type OutputStream } from './streams.ts'
import type { Ledger } from '../../budget.ts'

// Bytes queued for a slow reader before the guest must wait.
const HIGH_WATER = 64 * 1024
// Without JSPI a guest cannot wait, so its output is buffered; a longer response is aborted.
const MAX_HELD = 64 * 1024 * 1024

// What a body takes itself, and each chunk beside its bytes: measured in V8, rounded up.
const PIPE_BYTES = 4096
const CHUNK_BYTES = 256
/** Chunks below this are gathered, so that writing byte by byte takes no more than other writing. */
const SMALL = 1024
const GATHERED = 4096

export interface BodyPipe {
  readonly stream: ReadableStream<Uint8Array>
  readonly output: OutputStream
  /** Its guest failed: the reader gets what was written until then, and `reason` after that. */
  breakOff(reason: unknown): void
  /** Nobody waits for it any more: the reader sees `reason` at once. */
  fail(reason: unknown): void
}

/**
 * What a guest writes, as a web stream with back pressure. `buffered` never makes the guest wait.
 * `ledger` pays for the body, and for what nobody has read yet.
 */
export function createBodyPipe({
  buffered,
  ledger = FREE,
}: {
  readonly buffered: boolean
  readonly ledger?: Ledger
}): BodyPipe {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let state: 'open' | 'closing' | 'done' = 'open'
  /** Error or end to deliver once the queue has been read. */
  let failure: { readonly reason: unknown } | undefined
  let queue: Array<Uint8Array | undefined> = []
  /** Of the queue, what has been read. */
  let read = 0
  let queued = 0
  /** The last chunk of the queue, while there is room in it. */
  let tail: { readonly bytes: Uint8Array; used: number } | undefined
  let pull: (() => void) | undefined
  let wake: (() => void) | undefined
  let room: Promise<void> | undefined

  const count = (bytes: number): void => {
    if (bytes > 0) ledger.charge(bytes)
    else ledger.release(-bytes)
    queued += bytes
  }
  const finish = (): void => {
    state = 'done'
    count(-queued)
    ledger.release(PIPE_BYTES)
    queue = []
    tail = undefined
    pull?.()
    wakeWriter()
  }
  const wakeWriter = (): void => {
    wake?.()
    wake = room = undefined
  }
  const next = (): Uint8Array | undefined => {
    const chunk = queue[read]
    if (chunk === undefined) return undefined
    const isTail = chunk === tail?.bytes
    const part = isTail ? chunk.subarray(0, tail?.used) : chunk
    if (isTail) tail = undefined
    queue[read++] = undefined
    if (read === queue.length) {
      queue = []
      read = 0
    }
    count(-(chunk.length + CHUNK_BYTES))
    return part
  }
  const endReading = (): void => {
    if (failure === undefined) controller?.close()
    else controller?.error(failure.reason)
    finish()
  }
  /** Gives the reader what it waits for, if that is there. */
  const flow = (): void => {
    if (pull === undefined || state === 'done') return
    const chunk = next()
    if (chunk !== undefined) controller?.enqueue(chunk)
    // An error would take from the reader what it was just given: it waits for the next time.
    const isTaken = chunk === undefined || failure === undefined
    if (queue.length === 0 && state === 'closing' && isTaken) return endReading()
    if (chunk === undefined) return
    pull()
    pull = undefined
    wakeWriter()
  }
  ledger.charge(PIPE_BYTES)
  const stream = new ReadableStream<Uint8Array>(
    {
      start(c) {
        controller = c
      },
      pull: () =>
        new Promise<void>((resolve) => {
          pull = resolve
          flow()
        }),
      cancel: () => {
        if (state !== 'done') finish()
      },
    },
    // Whatever is read from here on is the reader's.
    { highWaterMark: 0 },
  )
  const space = (): number | undefined =>
    state === 'open' ? Math.max(0, (buffered ? MAX_HELD : 0) + HIGH_WATER - queued) : undefined
  /** The last chunk takes no more: only what is used of it stays in the queue. */
  const sealTail = (): void => {
    if (tail === undefined) return
    queue[queue.length - 1] = tail.bytes.slice(0, tail.used)
    count(tail.used - GATHERED)
    tail = undefined
  }
  const add = (bytes: Uint8Array): void => {
    if (tail !== undefined && bytes.length <= tail.bytes.length - tail.used) {
      tail.bytes.set(bytes, tail.used)
      tail.used += bytes.length
      return
    }
    sealTail()
    if (bytes.length < SMALL && pull === undefined) {
      count(GATHERED + CHUNK_BYTES)
      tail = { bytes: new Uint8Array(GATHERED), used: bytes.length }
      tail.bytes.set(bytes)
      queue.push(tail.bytes)
    } else {
      count(bytes.length + CHUNK_BYTES)
      // A view would keep its whole underlying buffer alive.
      queue.push(bytes.length < bytes.buffer.byteLength ? bytes.slice() : bytes)
    }
  }
  return {
    stream,
    output: {
      pollable: {
        ready: () => space() !== 0,
        wait: () => (room ??= new Promise((resolve) => (wake = resolve))),
      },
      room: space,
      write(bytes) {
        // An empty chunk would count as nothing and wake the reader for nothing.
        if (state !== 'open' || bytes.length === 0) return
        add(bytes)
        flow()
      },
      close() {
        if (state !== 'open') return
        state = 'closing'
        if (queue.length > 0) return flow()
        endReading()
      },
    },
    breakOff(reason) {
      if (state !== 'open') return
      state = 'closing'
      failure = { reason }
      wakeWriter()
      if (queue.length > 0) return flow()
      endReading()
    },
    fail(reason) {
      // A finished body is complete, even if the guest fails later.
      if (state !== 'open') return
      controller?.error(reason)
      finish()
    },
  }
}
