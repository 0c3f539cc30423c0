/** Merkle trees of transparency logs. @see https://www.rfc-editor.org/rfc/rfc6962#section-2.1 */
import { sameBytes } from '../../bytes/der.ts'
import { rawDigestOf } from '../../bytes/digest.ts'
import { concat } from '../../bytes/stream.ts'

/** Hash of a leaf: SHA-256 over 0x00 and the entry. */
export function leafHash(entry: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return rawDigestOf(concat([Uint8Array.of(0), entry]))
}

/** Hash of an inner node: SHA-256 over 0x01 and both child hashes. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return rawDigestOf(concat([Uint8Array.of(1), left, right]))
}

/** Verifies an inclusion proof: the hashes lead from the leaf to the root, with none left over. @see RFC 9162, 2.1.3.2 */
export async function isIncluded(
  leaf: Uint8Array,
  index: number,
  size: number,
  hashes: readonly Uint8Array[],
  root: Uint8Array,
): Promise<boolean> {
  if (index >= size) return false
  let hash = leaf
  // Indexes go up to 2⁵³; shifts would truncate them to 32 bits.
  let at = index
  let last = size - 1
  for (const sibling of hashes) {
    if (last === 0 || sibling.length !== 32) return false
    if (at % 2 === 1 || at === last) {
      hash = await nodeHash(sibling, hash)
      while (at % 2 === 0 && at !== 0) {
        at = at / 2
        last = Math.floor(last / 2)
      }
    } else {
      hash = await nodeHash(hash, sibling)
    }
    at = Math.floor(at / 2)
    last = Math.floor(last / 2)
  }
  return last === 0 && sameBytes(hash, root)
}
