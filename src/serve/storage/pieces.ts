import { chunksOf, createCollector, openStream, sizeOf } from '../../bytes/stream.ts'
import { createValueSizeCheck, type StorageBody } from './port.ts'

/**
 * Bytes sent to an object store at once, and so held in memory for each value that comes in. Both
 * S3 and R2 want 5 MiB at least, and R2 all parts but the last of one size; 10 000 of them are 80 GB.
 */
export const PART_BYTES: number = 8 * 1024 * 1024

/** A body on its way into an object store, in parts of one size. */
export interface Pieces {
  /** The next `PART_BYTES`; fewer only at the end. `undefined` after it. */
  next(): Promise<Uint8Array | undefined>
  /** Stops reading. */
  cancel(): Promise<void>
}

/** @throws `ERR_DIGEST_MISMATCH` at the end of a body that has not the size it was said to have. */
export function readPieces(body: StorageBody, announced: number | undefined): Pieces {
  const size = sizeOf(body) ?? announced
  const chunks = chunksOf(openStream(body))
  const held = createCollector()
  const check = createValueSizeCheck(size)
  let first = true
  let ended = false

  const take = (length: number): Uint8Array => {
    const all = held.take()
    held.add(all.subarray(length))
    return all.subarray(0, length)
  }
  return {
    async next() {
      while (!ended && held.size < PART_BYTES) {
        const { done, value } = await chunks.next()
        if (done === true) {
          ended = true
          check.end()
          break
        }
        try {
          check.add(value.length)
        } catch (error) {
          await chunks.return(undefined)
          throw error
        }
        // Whoever sends may use its array again.
        held.add(value.slice())
      }
      if (held.size === 0 && !first) return undefined
      first = false
      return take(Math.min(held.size, PART_BYTES))
    },
    cancel: async () => void (await chunks.return(undefined)),
  }
}

/** A prefix for all keys of a storage, so that several share a bucket. @throws TypeError */
export function checkPrefix(prefix: string): string {
  if (prefix === '' || /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)+$/.test(prefix)) return prefix
  throw new TypeError(`"prefix" must be names that each end with /, not ${JSON.stringify(prefix)}`)
}

/** What was taken from them to look at, put back in front. */
export function startingWith(first: Uint8Array, rest: Pieces): Pieces {
  let taken = false
  return {
    async next() {
      if (taken) return rest.next()
      taken = true
      return first
    },
    cancel: () => rest.cancel(),
  }
}
