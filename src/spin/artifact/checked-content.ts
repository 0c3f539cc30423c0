import { chunksOf, openStream, streamFrom } from '../../bytes/stream.ts'
import { readVerified, verifyStream } from '../../bytes/verified.ts'
import { SpindleError } from '../../errors.ts'
import type { Content, CreateHasher, Descriptor } from '../../types.ts'

/** Up to this size content is read whole and checked before its first byte goes out: 8 in flight are 32 MiB. */
const WHOLE_BYTES = 4 * 1024 * 1024

/**
 * Content that fails, naming `place`, when it is no longer what was hashed: a file may change
 * between hashing and sending. What is already bytes in memory is left as it is.
 */
export function checkedContent(
  content: Uint8Array | Content,
  expected: Descriptor,
  place: string,
  createHasher?: CreateHasher,
): Uint8Array | Content {
  if (content instanceof Uint8Array) return content
  return {
    size: expected.size,
    stream: () => streamFrom(check(content, expected, place, createHasher)),
  }
}

async function* check(
  content: Content,
  expected: Descriptor,
  place: string,
  createHasher: CreateHasher | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    if (expected.size <= WHOLE_BYTES) yield await readVerified(content, expected)
    else yield* chunksOf(verifyStream(openStream(content), expected, createHasher))
  } catch (cause) {
    if (!(cause instanceof SpindleError) || cause.code !== 'ERR_DIGEST_MISMATCH') throw cause
    throw new SpindleError(
      'ERR_DIGEST_MISMATCH',
      `${place} changed while it was being packed, or came damaged: stop what writes to it, then load the application again`,
      { cause },
    )
  }
}
