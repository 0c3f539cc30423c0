import { SpindleError } from '../errors.ts'
import type { BodySource, CreateHasher, Descriptor, Digest, Hasher } from '../types.ts'
import { algorithmOf, createPortableHasher, digestBy, formatDigest } from './digest.ts'
import {
  CORRUPTED,
  createSizeCheck,
  isStream,
  type Opener,
  openStream,
  type Readable,
  readExactly,
  watchStream,
} from './stream.ts'

/** From this size on, hashing on the way is faster than hashing what is collected. */
const HASHED_ON_THE_WAY = 1024 * 1024

/**
 * All bytes of a descriptor's content, checked against its size and digest.
 * @param createHasher See `digestBy`.
 * @throws `ERR_DIGEST_MISMATCH` when they don't fit it.
 */
export async function readVerified(
  body: BodySource,
  expected: Descriptor,
  signal?: AbortSignal,
  createHasher?: CreateHasher,
): Promise<Uint8Array<ArrayBuffer>> {
  const { digest, size } = expected
  const source = body instanceof Uint8Array ? body : withoutCheck(openStream(body), expected)
  if (isStream(source) && createHasher !== undefined && size >= HASHED_ON_THE_WAY)
    return readExactly(verifyStream(source, expected, createHasher), size, digest, signal)
  const bytes = await readExactly(source, size, digest, signal)
  const actual = await digestBy(createHasher, bytes, algorithmOf(digest))
  if (actual !== digest) throw wrongDigest(digest, actual)
  return bytes
}

/**
 * Passes content through and errors at the end when it does not match its descriptor, or as soon as
 * it is longer. Consumers must not act on the bytes before the stream closes.
 *
 * An unread stream that already verifies the same descriptor is returned unchanged.
 * @param source A stream, a reader of chunks, or a function that opens one at the first read.
 * @param failure Called with the error that broke the stream.
 */
export function verifyStream(
  source: Readable | Opener,
  expected: Descriptor,
  createHasher: CreateHasher = createPortableHasher,
  failure?: (error: unknown) => void,
): ReadableStream<Uint8Array> {
  if (isStream(source) && checkOf(source, expected) !== undefined) return source
  const { digest, size } = expected
  const algorithm = algorithmOf(digest)
  const unchecked =
    typeof source === 'function' ? async () => withoutCheck(await source(), expected) : source
  let hasher: Hasher | undefined
  const check = createSizeCheck(digest, size)
  const verified = watchStream(unchecked, {
    start: () => void checks.delete(verified),
    chunk(bytes) {
      check.add(bytes.length)
      hasher ??= createHasher(algorithm)
      return hasher.update(bytes)
    },
    async end() {
      check.end()
      hasher ??= createHasher(algorithm)
      const actual = formatDigest(algorithm, await hasher.digest())
      if (actual !== digest) throw wrongDigest(digest, actual)
    },
    failure,
  })
  checks.set(verified, {
    expected,
    openSource: () => (isStream(unchecked) ? unchecked : watchStream(unchecked, { failure })),
  })
  return verified
}

/** What an unread stream of `verifyStream` verifies, and how to read its source without the check. */
interface Check {
  readonly expected: Descriptor
  readonly openSource: () => ReadableStream<Uint8Array>
}

/** The checks of streams that nobody has read from yet: so that no content is hashed twice. */
const checks = new WeakMap<ReadableStream<Uint8Array>, Check>()

function checkOf(source: Readable, { digest, size }: Descriptor): Check | undefined {
  const check = isStream(source) && !source.locked ? checks.get(source) : undefined
  return check?.expected.digest === digest && check.expected.size === size ? check : undefined
}

/** The source of a stream that verifies the same content, for a caller that verifies it itself; else `source`. */
function withoutCheck<T extends Readable>(
  source: T,
  expected: Descriptor,
): T | ReadableStream<Uint8Array> {
  const check = checkOf(source, expected)
  if (check === undefined) return source
  // Locked for good: from here on only its source is read.
  if (isStream(source)) source.getReader()
  return check.openSource()
}

export function wrongDigest(what: string, actual: Digest): SpindleError {
  return new SpindleError(
    'ERR_DIGEST_MISMATCH',
    `the content of ${what} has the digest ${actual}: ${CORRUPTED}`,
  )
}
