import { hexOf } from '../../bytes/digest.ts'
import type { Digest } from '../../types.ts'

/** Hash functions per digest. With 13 bits of memory per added digest, 0.2 % of other digests match. */
const HASHES = 6

/**
 * A set of digests in memory of a fixed size: a Bloom filter.
 *
 * No false negatives, few false positives. False positives differ between filters, so that the next
 * garbage collection removes what this one kept.
 */
export interface DigestFilter {
  add(digest: Digest): void
  has(digest: Digest): boolean
}

/** With 5 million digests in use, 0.2 % of the garbage stays until the next collection. */
const DEFAULT_BYTES = 8 * 1024 * 1024
const MAX_BYTES = 512 * 1024 * 1024

/**
 * Creates an empty filter.
 * @param bytes Memory. Up to 512 MiB. Default 8 MiB.
 */
export function createDigestFilter(bytes: number = DEFAULT_BYTES): DigestFilter {
  if (!Number.isInteger(bytes) || bytes < 1 || bytes > MAX_BYTES)
    throw new TypeError(`"memory" should be 1 to ${MAX_BYTES} bytes and is ${bytes}`)
  const bits = new Uint8Array(bytes)
  const salt = crypto.getRandomValues(new Uint32Array(2))

  const positions = (digest: Digest): number[] => {
    const hex = hexOf(digest)
    // Salted, so that nobody can push content that protects garbage from every collection.
    const [start, step] = [0, 1].map((half) =>
      mix(
        Number.parseInt(hex.slice(16 * half, 16 * half + 8), 16) ^
          Math.imul(Number.parseInt(hex.slice(16 * half + 8, 16 * half + 16), 16), salt[half]! | 1),
      ),
    ) as [number, number]
    return Array.from({ length: HASHES }, (_, i) => (start + i * step) % (bytes * 8))
  }
  return {
    add(digest) {
      for (const at of positions(digest)) bits[at >>> 3]! |= 1 << (at & 7)
    },
    has: (digest) => positions(digest).every((at) => (bits[at >>> 3]! & (1 << (at & 7))) !== 0),
  }
}

/** The finalizer of MurmurHash3: every input bit affects every output bit. */
function mix(value: number): number {
  let h = value
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
