import type { Content, CreateHasher, Descriptor } from '../types.ts'
import { COLLECT_BYTES, createPortableHasher, digestOf, formatDigest } from './digest.ts'
import { chunksOf, readExactly } from './stream.ts'

/** Digest and size of a body that can be opened again: WebCrypto when it is small, a streaming hasher when not. */
export async function describeContent(
  content: Uint8Array | Content,
  mediaType: string,
  options: { createHasher?: CreateHasher | undefined; signal?: AbortSignal | undefined } = {},
): Promise<Descriptor> {
  if (content instanceof Uint8Array) {
    return { mediaType, digest: await digestOf(content), size: content.length }
  }
  if (content.size <= COLLECT_BYTES) {
    const bytes = await readExactly(content, content.size, 'the file', options.signal)
    return { mediaType, digest: await digestOf(bytes), size: bytes.length }
  }
  const hasher = (options.createHasher ?? createPortableHasher)('sha256')
  let size = 0
  for await (const chunk of chunksOf(content.stream(), options.signal)) {
    size += chunk.length
    await hasher.update(chunk)
  }
  return { mediaType, digest: formatDigest('sha256', await hasher.digest()), size }
}
