import type { Content } from '../types.ts'
import { SpindleError } from '../errors.ts'
import { quotePath } from './path.ts'
import { chunksOf, openStream } from './stream.ts'
import { encodeUtf8 } from './text.ts'

export interface TarFile {
  readonly path: string
  readonly content: Uint8Array | Content
}

export const TAR_BLOCK: number = 512
const NAME_SIZE = 100
/** The largest size that fits 11 octal digits. */
const MAX_OCTAL = 0o77777777777

/**
 * A tar archive whose bytes depend on nothing but paths and contents: no times, no owners, mode
 * 0644, entries in the given order, no entries for folders.
 *
 * In GNU's form, as Spin writes it: names are UTF-8 as they are, and longer ones than 100 bytes
 * stand in an entry of their own before. @see https://www.gnu.org/software/tar/manual/html_node/Standard.html
 */
export async function* writeTar(
  files: Iterable<TarFile> | AsyncIterable<TarFile>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const { path, content } of files) {
    const size = content instanceof Uint8Array ? content.length : content.size
    const name = encodeUtf8(path)
    if (name.length > NAME_SIZE) {
      yield header(encodeUtf8('././@LongLink'), name.length + 1, 'L')
      yield padded(name, name.length + 1)
    }
    yield header(name.subarray(0, NAME_SIZE), size, '0')
    let sent = 0
    for await (const chunk of chunksOf(openStream(content), signal)) {
      sent += chunk.length
      if (sent > size) break
      yield chunk
    }
    if (sent !== size)
      throw new SpindleError(
        'ERR_DIGEST_MISMATCH',
        `${quotePath(path)} changed while it was read: it had ${size} bytes; try again when nothing writes to it`,
      )
    yield new Uint8Array(paddingOf(size))
  }
  yield new Uint8Array(2 * TAR_BLOCK)
}

/** Bytes of the archive that `writeTar` makes of such files. */
export function tarSizeOf(files: Iterable<TarFile>): number {
  let total = 2 * TAR_BLOCK
  for (const { path, content } of files) {
    const size = content instanceof Uint8Array ? content.length : content.size
    const name = encodeUtf8(path).length
    if (name > NAME_SIZE) total += TAR_BLOCK + name + 1 + paddingOf(name + 1)
    total += TAR_BLOCK + size + paddingOf(size)
  }
  return total
}

/** Zero bytes up to the next block. */
export function paddingOf(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK
}

function padded(bytes: Uint8Array, size: number): Uint8Array {
  const block = new Uint8Array(size + paddingOf(size))
  block.set(bytes)
  return block
}

function header(name: Uint8Array, size: number, type: string): Uint8Array {
  const block = new Uint8Array(TAR_BLOCK)
  const text = (at: number, value: string): void => block.set(encodeUtf8(value), at)
  block.set(name)
  text(100, '0000644\0')
  text(108, '0000000\0')
  text(116, '0000000\0')
  if (size <= MAX_OCTAL) text(124, `${size.toString(8).padStart(11, '0')}\0`)
  else bigEndian(block, size)
  text(136, '00000000000\0')
  text(148, '        ')
  text(156, type)
  text(257, 'ustar  \0')
  const sum = block.reduce((total, byte) => total + byte, 0)
  text(148, `${sum.toString(8).padStart(6, '0')}\0 `)
  return block
}

// GNU's base-256: the first bit set, then the number in 11 bytes.
function bigEndian(block: Uint8Array, size: number): void {
  block[124] = 0x80
  let rest = size
  for (let at = 135; at > 124; at--) {
    block[at] = rest % 256
    rest = Math.floor(rest / 256)
  }
}
