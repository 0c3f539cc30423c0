import type { ChunkReader } from '../../bytes/stream.ts'

/** Bytes received ahead of the reader. A body that fits frees its connection even if it is never read. */
const AHEAD_BYTES = 64 * 1024

/** Back-pressure on the sender of a body. */
export interface Flow {
  pause(): void
  resume(): void
  /** Ends the transfer, and with it the connection or stream. */
  abort(): void
}

export interface ReceivedBody {
  readonly reader: ChunkReader
  push(chunk: Uint8Array): void
  /** Without an error, the body is complete. `discards` drops what was received and not yet read. */
  end(failure?: { readonly error: unknown; readonly discards: boolean }): void
}

type Read = Awaited<ReturnType<ChunkReader['read']>>

/** Buffers chunks that are pushed until they are read, and pauses the sender above 64 KiB. */
export function createReceivedBody(size: number, flow: Flow): ReceivedBody {
  const ahead: Uint8Array[] = []
  let bytes = 0
  let isPaused = false
  let ended: { readonly error?: unknown } | undefined
  let waiting: { resolve: (read: Read) => void; reject: (error: unknown) => void } | undefined

  const end: ReceivedBody['end'] = (failure) => {
    if (ended !== undefined) return
    if (failure === undefined) {
      ended = {}
      waiting?.resolve({ done: true, value: undefined })
      return
    }
    if (failure.discards) ahead.length = 0
    ended = { error: failure.error }
    waiting?.reject(failure.error)
  }

  return {
    push(chunk) {
      if (ended !== undefined) return
      const value = size === Infinity ? ownBytes(chunk) : bytesOf(chunk)
      if (waiting !== undefined) {
        waiting.resolve({ done: false, value })
        waiting = undefined
        return
      }
      ahead.push(value)
      bytes += value.length
      if (bytes < AHEAD_BYTES) return
      isPaused = true
      flow.pause()
    },
    end,
    reader: {
      read() {
        const value = ahead.shift()
        if (value === undefined) {
          if (ended === undefined)
            return new Promise<Read>((resolve, reject) => (waiting = { resolve, reject }))
          return 'error' in ended
            ? Promise.reject(ended.error)
            : Promise.resolve({ done: true, value: undefined })
        }
        bytes -= value.length
        if (bytes < AHEAD_BYTES && isPaused) {
          isPaused = false
          flow.resume()
        }
        return Promise.resolve({ done: false, value })
      },
      async cancel() {
        ahead.length = 0
        if (ended !== undefined) return
        end()
        // Reading a short rest is faster than opening another connection.
        if (size > AHEAD_BYTES) flow.abort()
        else if (isPaused) flow.resume()
      },
    },
  }
}

/** The bytes of a `Buffer` as a plain array over the same memory. */
function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/** Chunks of a body of unknown size share the memory of one read. The reader may detach it, so they are copied. */
function ownBytes(chunk: Uint8Array): Uint8Array {
  const bytes = bytesOf(chunk)
  return bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
}
