import { chunksOf, createCollector } from '../../bytes/stream.ts'
import { whenAborted } from '../../bytes/abort.ts'
import { takeRequestBody } from '../../http/wire.ts'
import type { Ledger } from '../budget.ts'
import { RefusedRequest, slowClient } from './refused-request.ts'

/** Bytes of one body: it is held in full, here and in the guest. */
const MAX_BODY = 64 * 1024 * 1024

interface Received {
  readonly bytes: Uint8Array
  /** The bytes are the guest's now. */
  release(): void
}

/** Receives whole bodies, before their guests take a place. */
interface Receiver {
  /**
   * Rejects with a `RefusedRequest` for a body that is too long, and for the slowest when all together
   * are; with `signal.reason` when aborted. What a component sends to another is paid by `ledger` alone:
   * it ends nobody else's.
   */
  receive(request: Request, signal: AbortSignal, ledger?: Ledger): Promise<Received>
}

/** @param limit Bytes of all bodies that come in or wait for a place. */
export function createReceiver(limit: number): Receiver {
  let held = 0
  /** What ends them, and frees their bytes: the one that comes in for the longest first. */
  const incoming = new Set<() => void>()

  return {
    async receive(request, signal, ledger) {
      const body = takeRequestBody(request)
      if (body === null) return { bytes: new Uint8Array(), release() {} }
      const abort = new AbortController()
      const stopWaiting = whenAborted(signal, () => abort.abort(signal.reason))
      if (signal.aborted) abort.abort(signal.reason)
      let size = 0
      const release = (): void => {
        if (ledger === undefined) held -= size
        else ledger.release(size)
        size = 0
      }
      const evict = (): void => {
        incoming.delete(evict)
        release()
        abort.abort(slowClient())
      }
      if (ledger === undefined) incoming.add(evict)
      try {
        const collector = createCollector()
        for await (const chunk of chunksOf(body, abort.signal)) {
          if (ledger === undefined) held += chunk.length
          else ledger.charge(chunk.length)
          size += chunk.length
          if (size > MAX_BODY)
            throw new RefusedRequest(
              413,
              'ERR_LIMIT_EXCEEDED',
              `the request body is longer than ${MAX_BODY} bytes`,
            )
          collector.add(chunk)
          if (ledger !== undefined) continue
          for (const slowest of incoming) {
            if (held <= limit || slowest === evict) break
            slowest()
          }
          if (held > limit)
            throw new RefusedRequest(
              503,
              'ERR_LIMIT_EXCEEDED',
              `request bodies that wait for their components take more than ${limit} bytes: raise that by the option "maxMemory", at a shell by --max-memory`,
            )
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
