import { whenAborted } from '../bytes/abort.ts'
import { chunksOf, createCollector } from '../bytes/stream.ts'

/** Bytes that a server holds of bodies unless told otherwise: 64 of the largest manifests, 16 of the largest invoices. */
export const MAX_BUFFERED_BYTES: number = 256 * 1024 * 1024

export interface ReceivedBody {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** The bytes are not held here any more. */
  release(): void
}

/** Counts the bytes of a body in place of the room. */
interface Payer {
  /** Throws when that is too much: the body is rejected with it. */
  charge(bytes: number): void
  release(bytes: number): void
}

interface ReceiveOptions {
  readonly signal?: AbortSignal | undefined
  /** Pays for this body alone: it takes no room of others, and is never given up for them. */
  readonly payer?: Payer | undefined
}

/** Bodies of requests that are received whole, and the memory that all of them together may take. */
export interface BodyRoom {
  /**
   * Rejects with a refusal for a body that is longer than `maxBytes`, or has no room, with what the
   * payer throws, and with `signal.reason` when aborted.
   */
  receive(
    body: ReadableStream<Uint8Array>,
    maxBytes: number,
    options?: ReceiveOptions,
  ): Promise<ReceivedBody>
}

interface Refusals {
  /** Of a body that came in for the longest, when others had no room. */
  slow(): Error
  /** Of a body that has no room while the others are at work. */
  full(): Error
  /** Of a body that is too long. */
  long(): Error
}

/**
 * Makes room for a body by giving up the one that has been coming in for the longest: a client that
 * is slow on purpose keeps nothing from others.
 *
 * @param limit Bytes of all bodies that come in or were not released.
 */
export function createBodyRoom(limit: number, refusals: Refusals): BodyRoom {
  let held = 0
  /** What ends them, and frees their bytes: the one that comes in for the longest first. */
  const incoming = new Set<() => void>()

  const room: Payer = {
    charge(bytes) {
      held += bytes
    },
    release(bytes) {
      held -= bytes
    },
  }

  const makeRoom = (newest: () => void): void => {
    for (const slowest of incoming) {
      if (held <= limit || slowest === newest) break
      slowest()
    }
    if (held > limit) throw refusals.full()
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
