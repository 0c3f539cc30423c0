import type { Content } from '../types.ts'
import { readExactly } from './stream.ts'

/**
 * All bytes of a file of an application, such as one of `app.files` or of a `FileTree`.
 *
 * Exported from `spindle/app` and `spindle/store`. Bytes are given as they are, without a copy.
 *
 * @example The manifest of an application
 * ```ts
 * const text = new TextDecoder().decode(await readBytes(app.files.get(app.manifestPath)!))
 * ```
 * @param content Bytes, or anything with `size` and `stream()`, such as a `Blob`.
 * @throws `ERR_DIGEST_MISMATCH` when it has more or fewer bytes than its `size`: it has changed.
 */
export async function readBytes(
  content: Uint8Array | Content,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Uint8Array> {
  if (content instanceof Uint8Array) return content
  return readExactly(content, content.size, 'a file', options.signal)
}
