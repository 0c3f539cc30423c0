import { isDigest } from '../../../bytes/digest.ts'
import { concat } from '../../../bytes/stream.ts'
import { decodeUtf8, encodeUtf8 } from '../../../bytes/text.ts'
import type { Digest } from '../../../types.ts'

// An empty core module with one custom section of this name, whose content is a digest: whatever
// reads WebAssembly reads it, and nothing that a toolchain makes looks like it.
const NAME = 'spindle.module'

/** Stands for a core module that is kept elsewhere. */
export function formatPlaceholder(digest: Digest): Uint8Array {
  const name = encodeUtf8(NAME)
  const content = encodeUtf8(digest)
  const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, name.length + content.length + 1, name.length]
  return concat([Uint8Array.from(head), name, content])
}

/** The digest of the module that stands elsewhere; `undefined` for real modules. What follows is not looked at. */
export function parsePlaceholder(bytes: Uint8Array): Digest | undefined {
  const start = 11 + NAME.length
  if (bytes[8] !== 0 || decodeUtf8(bytes.subarray(11, start)) !== NAME) return undefined
  const digest = decodeUtf8(bytes.subarray(start, 10 + (bytes[9] ?? 0)))
  return isDigest(digest) ? digest : undefined
}
