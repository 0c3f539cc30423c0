import { whenAborted } from '../bytes/abort.ts'
import { chunksOf, createCollector } from '../bytes/stream.ts'

/**
 * Default limit of a server for buffered bodies, in bytes: 64 of the largest manifests, 16 of the
 * largest invoices.
 */
export const MAX_BUFFERED_BYTES: number = 256 * 1024 * 1024

/** A buffered body. */
export interface ReceivedBody {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Returns the memory of the body. */
  release(): void
}

/** Counts the bytes of a body in place of the shared limit. */
interface Payer {
  /** Adds bytes. Throws to reject the body. */
  charge(bytes: number): void
  release(bytes: number): void
}

interface ReceiveOptions {
  readonly signal?: AbortSignal | undefined
  /** Counts this body separately: outside the shared limit, and never evicted. */
  readonly payer?: Payer | undefined
}

/** Buffers bodies of requests within one memory limit. */
export interface BodyRoom {
  /**
   * Buffers a body. Rejects with a refusal if it is longer than `maxBytes` or exceeds the memory
   * limit,
   * with the error of the payer, and with `signal.reason` when aborted.
   */
  receive(
    body: ReadableStream<Uint8Array>,
    maxBytes: number,
    options?: ReceiveOptions,
  ): Promise<ReceivedBody>
}

interface Refusals {
  /** For the oldest incoming body, evicted in favour of others. */
  slow(): Error
  /** For a body that does not fit beside complete ones. */
  full(): Error
  /** For a body that is too long. */
  long(): Error
}

/**
 * Creates a buffer for bodies. When it is full, the body that has been incoming for the longest is
 * evicted, so that deliberately slow clients do not block others.
 *
 * @param limit Bytes of all bodies that are incoming or not released.
 */
export function createBodyRoom(limit: number, refusals: Refusals): BodyRoom {
  let used = 0
  /** Functions that evict incoming bodies, the oldest first. */
  const incoming = new Set<() => void>()

  const room: Payer = {
    charge(bytes) {
      used += bytes
    },
    release(bytes) {
      used -= bytes
    },
  }

  const makeRoom = (newest: () => void): void => {
    for (const slowest of incoming) {
      if (used <= limit || slowest === newest) break
      slowest()
    }
    if (used > limit) throw refusals.full()
  }

  return {
    async receive(body, maxBytes, { signal, payer = room } = {}) {
      const abort = new AbortController()
      const stopWaiting = whenAborted(signal, () => abort.abort(signal?.reason))
      if (signal?.aborted === true) abort.abort(signal.reason)
      const collector = createCollector()
      let size = 0
      const release = (): void => {
        payer.release(size)
        size = 0
      }
      const evict = (): void => {
        incoming.delete(evict)
        release()
        collector.take()
        abort.abort(refusals.slow())
      }
      if (payer === room) incoming.add(evict)
      try {
        for await (const chunk of chunksOf(body, abort.signal)) {
          payer.charge(chunk.length)
          size += chunk.length
          if (size > maxBytes) throw refusals.long()
          if (payer === room) makeRoom(evict)
          collector.add(chunk)
        }
        return { bytes: collector.take(), release }
      } catch (error) {
        release()
        throw error
      } finally {
        stopWaiting()
        incoming.delete(evict)
      }
    },
  }
}
