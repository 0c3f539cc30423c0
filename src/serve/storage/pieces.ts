import { chunksOf, createCollector, openStream, sizeOf } from '../../bytes/stream.ts'
import { createValueSizeCheck, type StorageBody } from './port.ts'

/**
 * Size of the parts of a multipart upload, and of the buffer of each upload. S3 and R2 require at least
 * 5 MiB; R2 requires the same size for all parts except the last. With 10 000 parts, a value has up to 80 GB.
 */
export const PART_BYTES: number = 8 * 1024 * 1024

/** A body split into the parts of a multipart upload. */
export interface Pieces {
  /** The next `PART_BYTES`; fewer only at the end. `undefined` after it. */
  next(): Promise<Uint8Array | undefined>
  /** Stops reading. */
  cancel(): Promise<void>
}

/**
 * Splits a body into parts.
 * @throws `ERR_DIGEST_MISMATCH` from `next` for a body that does not have the announced size.
 */
export function readPieces(body: StorageBody, announced: number | undefined): Pieces {
  const size = sizeOf(body) ?? announced
  const chunks = chunksOf(openStream(body))
  const buffer = createCollector()
  const check = createValueSizeCheck(size)
  let first = true
  let ended = false

  const take = (length: number): Uint8Array => {
    const all = buffer.take()
    buffer.add(all.subarray(length))
    return all.subarray(0, length)
  }
  return {
    async next() {
      while (!ended && buffer.size < PART_BYTES) {
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
        // Copy, because the source can reuse its array.
        buffer.add(value.slice())
      }
      if (buffer.size === 0 && !first) return undefined
      first = false
      return take(Math.min(buffer.size, PART_BYTES))
    },
    cancel: async () => void (await chunks.return(undefined)),
  }
}

/** Validates a key prefix, with which several storages can share a bucket. @throws `TypeError` */
export function checkPrefix(prefix: string): string {
  if (prefix === '' || /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)+$/.test(prefix)) return prefix
  throw new TypeError(
    `"prefix" should be names that each end with / and is ${JSON.stringify(prefix)}`,
  )
}

/** Puts a part back in front of the rest. */
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
