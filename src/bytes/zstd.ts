import { Decompress } from 'fzstd'
import { SpindleError } from '../errors.ts'
import { concat } from './stream.ts'

/** Largest block, packed and unpacked. @see RFC 8878, 3.1.1.2 */
const MAX_BLOCK = 128 * 1024
/**
 * Largest window, which is memory that a few bytes ask for. The RFC wants 8 MiB; the strongest setting
 * of the encoder in Docker has 32.
 */
const MAX_WINDOW: number = 32 * 1024 * 1024

const MAGIC = 0xfd2fb528
/** Frames of other data, which are passed over: sixteen magic numbers from here on. */
const SKIPPABLE = 0x184d2a50

interface UnzstdOptions {
  /** Most bytes to unpack. */
  readonly maxBytes: number
  /** Names the content in messages. */
  readonly what: string
}

/**
 * Unpacks Zstandard, all frames of it, one block at a time: none unpacks to more than 128 KiB. The
 * checksum is not looked at: content has a digest of its own.
 *
 * Throws `ERR_LIMIT_EXCEEDED` above `maxBytes` or for a window of more than 32 MiB, and
 * `ERR_CONTENT_INVALID` for what is damaged, cut off or needs a dictionary.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc8878 RFC 8878}
 */
export async function* unzstd(
  source: AsyncIterable<Uint8Array>,
  { maxBytes, what }: UnzstdOptions,
): AsyncGenerator<Uint8Array> {
  const damaged = (problem: string, cause?: unknown): SpindleError =>
    new SpindleError('ERR_CONTENT_INVALID', `${what} is no Zstandard, or damaged: ${problem}`, {
      cause,
    })
  const input = source[Symbol.asyncIterator]()
  let held: Uint8Array = new Uint8Array(0)
  /** At least so many bytes; fewer at the end. */
  const peek = async (size: number): Promise<Uint8Array> => {
    const parts = [held]
    let length = held.length
    while (length < size) {
      const { done, value } = await input.next()
      if (done === true) break
      parts.push(value)
      length += value.length
    }
    if (parts.length > 1) held = concat(parts)
    return held
  }
  const take = async (size: number): Promise<Uint8Array> => {
    const bytes = await peek(size)
    if (bytes.length < size) throw damaged('it is cut off')
    held = bytes.subarray(size)
    return bytes.subarray(0, size)
  }
  let total = 0
  try {
    for (let frames = 0; (await peek(1)).length > 0; frames++) {
      const magic = numberOf(await take(4))
      if (magic - (magic % 16) === SKIPPABLE) {
        for (let left = numberOf(await take(4)); left > 0;) {
          left -= (await take(Math.min(left, MAX_BLOCK))).length
        }
        continue
      }
      if (magic !== MAGIC) throw damaged(frames === 0 ? 'it starts otherwise' : 'a frame is none')
      const header = await take(headerSize((await peek(1))[0] ?? 0))
      const window = windowOf(header)
      if (window > MAX_WINDOW)
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          `${what} needs a window of ${window} bytes to be unpacked, more than ${MAX_WINDOW}: pack it with a lower level`,
        )
      let out: Uint8Array[] = []
      const unpacker = new Decompress((chunk) => {
        if (chunk.length > 0) out.push(chunk.slice())
      })
      const push = (bytes: Uint8Array, isEnd = false): void => {
        try {
          unpacker.push(bytes, isEnd)
        } catch (cause) {
          throw damaged('a block is malformed', cause)
        }
      }
      // Without a checksum, which is not handed on. The end has to be said: of a frame of less than 18
      // bytes nothing would come before.
      const plain = Uint8Array.of((header[0] as number) & ~4, ...header.subarray(1))
      push(concat([Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd), plain]))
      for (let isLast = false; !isLast;) {
        const head = (await take(3)).slice()
        const value = numberOf(head)
        isLast = (value & 1) === 1
        const type = (value >> 1) & 3
        const size = value >> 3
        if (type === 3 || size > MAX_BLOCK) throw damaged('a block has no valid header')
        push(concat([head, await take(type === 1 ? 1 : size)]), isLast)
        for (const chunk of out) {
          total += chunk.length
          if (total > maxBytes)
            throw new SpindleError(
              'ERR_LIMIT_EXCEEDED',
              `${what} unpacks to more than ${maxBytes} bytes`,
              { remedy: { option: 'maxBytes', advice: 'raise % if you trust the source' } },
            )
        }
        yield* out
        out = []
      }
      if (((header[0] as number) & 4) !== 0) await take(4)
    }
  } finally {
    await input.return?.(undefined)
  }
}

function numberOf(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0)
}

/** Bytes of a frame's header, by the first of them. */
function headerSize(descriptor: number): number {
  const isSingle = (descriptor & 0x20) !== 0
  return 1 + (isSingle ? 0 : 1) + dictionarySize(descriptor) + contentSize(descriptor)
}

function dictionarySize(descriptor: number): number {
  return [0, 1, 2, 4][descriptor & 3] as number
}

function contentSize(descriptor: number): number {
  const isSingle = (descriptor & 0x20) !== 0
  return [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] as number
}

function windowOf(header: Uint8Array): number {
  const descriptor = header[0] as number
  if ((descriptor & 0x20) !== 0) {
    const size = contentSize(descriptor)
    const content = numberOf(header.subarray(header.length - size))
    return size === 2 ? content + 256 : content
  }
  const byte = header[1] as number
  const base = 2 ** (10 + (byte >> 3))
  return base + (base / 8) * (byte & 7)
}
