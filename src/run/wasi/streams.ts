/** Something a guest can wait for. `wait` may resolve early: ask `ready` again. */
export interface Pollable {
  ready(): boolean
  wait(): Promise<unknown>
  /** Nobody will ask again; who waits still is let go. */
  drop?(): void
}

export interface InputStream {
  readonly pollable: Pollable
  /** What is there, up to `max` bytes; empty while nothing is, `undefined` at the end. Throws when the source failed. */
  read(max: number): Uint8Array | undefined
  close(): void
}

export interface OutputStream {
  readonly pollable: Pollable
  /** Bytes that it takes now, `undefined` once nobody listens. */
  room(): number | undefined
  write(bytes: Uint8Array): void
  close(): void
}

export const READY: Pollable = { ready: () => true, wait: () => Promise.resolve() }

/** At once when it is ready, so that a guest needs JSPI only for what really isn't. */
export function whenReady<T>(pollable: Pollable, then: () => T): T | Promise<T> {
  if (pollable.ready()) return then()
  return (async () => {
    while (!pollable.ready()) await pollable.wait()
    return then()
  })()
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

/** A guest's input from a web stream; nothing is read before the guest asks. */
export function createWebInput(source: ReadableStream<Uint8Array>): InputStream {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  let chunk: Uint8Array = new Uint8Array()
  let ended = false
  let failure: { readonly error: unknown } | undefined
  let pending: Promise<void> | undefined
  const start = (): Promise<void> => {
    reader ??= source.getReader()
    pending ??= reader.read().then(
      ({ done, value }) => {
        if (done) ended = true
        else chunk = value
        pending = undefined
      },
      (error: unknown) => {
        failure = { error }
        pending = undefined
      },
    )
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
        return part
      }
      if (failure !== undefined) throw failure.error
      if (ended) return undefined
      void start()
      return chunk
    },
    close() {
      ended = true
      chunk = new Uint8Array()
      // A locked source is cancelled through its reader; failures of a source nobody reads matter to nobody.
      void (reader === undefined ? source.cancel() : reader.cancel()).catch(() => {})
    },
  }
}

// What a guest may have on its way to a slow reader before it must wait.
const HIGH_WATER = 64 * 1024
// Without JSPI it can't wait, so everything it writes is held; a response above this is cut off.
const MOST_HELD = 64 * 1024 * 1024

export interface BodyPipe {
  readonly stream: ReadableStream<Uint8Array>
  readonly output: OutputStream
  /** Ends the body as failed: the reader sees `reason`. */
  fail(reason: unknown): void
}

/** What a guest writes, as a web stream with back pressure. `buffered` never makes the guest wait. */
export function createBodyPipe({ buffered }: { buffered: boolean }): BodyPipe {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let open = true
  let wake: (() => void) | undefined
  let pulled: Promise<void> | undefined
  const release = (): void => {
    wake?.()
    wake = pulled = undefined
  }
  const stream = new ReadableStream<Uint8Array>(
    {
      start(c) {
        controller = c
      },
      pull: release,
      cancel() {
        open = false
        release()
      },
    },
    { highWaterMark: HIGH_WATER, size: (chunk) => chunk.byteLength },
  )
  const room = (): number | undefined => {
    if (!open) return undefined
    const left = controller?.desiredSize ?? 0
    return buffered ? MOST_HELD + left : Math.max(0, left)
  }
  const finish = (end: () => void): void => {
    if (!open) return
    open = false
    end()
    release()
  }
  return {
    stream,
    output: {
      pollable: {
        ready: () => room() !== 0,
        wait: () => (pulled ??= new Promise((resolve) => (wake = resolve))),
      },
      room,
      write(bytes) {
        // An empty chunk would count as nothing and wake the reader for nothing.
        if (open && bytes.length > 0) controller?.enqueue(bytes)
      },
      close: () => finish(() => controller?.close()),
    },
    fail: (reason) => finish(() => controller?.error(reason)),
  }
}

/** An output that hands on whole lines; what is left at the end is a line too. */
export function createLineOutput(onLine: (text: string) => void): OutputStream {
  // Longer lines are cut: a guest that never ends one must not fill memory.
  const longest = 64 * 1024
  const decoder = new TextDecoder()
  let rest = ''
  const emit = (final: boolean): void => {
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > longest || (final && rest !== '')) {
      lines.push(rest)
      rest = ''
    }
    for (const line of lines) onLine(line.endsWith('\r') ? line.slice(0, -1) : line)
  }
  return {
    pollable: READY,
    room: () => longest,
    write(bytes) {
      rest += decoder.decode(bytes, { stream: true })
      emit(false)
    },
    close: () => emit(true),
  }
}
