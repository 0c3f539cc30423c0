import { hexOf } from '../../bytes/digest.ts'
import type { Digest } from '../../types.ts'

/** Bits for each digest. Where there are 13 for each one added, 2 of 1000 others are taken for one. */
const HASHES = 6

/**
 * Which digests were added, in memory of a fixed size: a Bloom filter.
 *
 * It never forgets one, and now and then takes another for one that was added; which ones is
 * different for each filter, so what one keeps too long the next does not.
 */
export interface DigestFilter {
  add(digest: Digest): void
  has(digest: Digest): boolean
}

/** With 5 million digests in use, 2 in 1000 of the others stay until another time. */
const DEFAULT_BYTES = 8 * 1024 * 1024
const MAX_BYTES = 512 * 1024 * 1024

/** @param bytes Up to 512 MiB. Default 8 MiB. */
export function createDigestFilter(bytes: number = DEFAULT_BYTES): DigestFilter {
  if (!Number.isInteger(bytes) || bytes < 1 || bytes > MAX_BYTES)
    throw new TypeError(`"memory" must be from 1 to ${MAX_BYTES} bytes, not ${bytes}`)
  const bits = new Uint8Array(bytes)
  const salt = crypto.getRandomValues(new Uint32Array(2))

  const places = (digest: Digest): number[] => {
    const hex = hexOf(digest)
    // Salted, so that nobody can push content that hides garbage of theirs from every collection.
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
      for (const place of places(digest)) bits[place >>> 3]! |= 1 << (place & 7)
    },
    has: (digest) =>
      places(digest).every((place) => (bits[place >>> 3]! & (1 << (place & 7))) !== 0),
  }
}

/** Spreads each bit over all; the end of MurmurHash3. */
function mix(value: number): number {
  let h = value
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
