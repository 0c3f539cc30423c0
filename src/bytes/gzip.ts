import { Deflate, Inflate } from 'fflate'
import { SpindleError } from '../errors.ts'
import { concat } from './stream.ts'

/**
 * Bytes handed to the compressor at once. The compressed bytes depend on it, and so do digests
 * of archives: it stays as it is.
 */
const PIECE = 64 * 1024
/** Compressed bytes unpacked in one step: bounds what a step can produce to 16 MiB. */
const STEP = 16 * 1024
/** Compressed bytes after which something must have come out: a stored block has up to 64 KiB. */
const MAX_STALL = 128 * 1024
/** Longest header: it may hold a file name and a comment of any length. */
const MAX_HEADER = 64 * 1024
/** No time, no name, of Unix: RFC 1952, 2.3. */
const HEADER = Uint8Array.of(31, 139, 8, 0, 0, 0, 0, 0, 0, 3)

/**
 * One gzip member whose bytes depend on nothing but the input's: not on the engine, not on the
 * time, not on how the input is cut into chunks.
 *
 * By fflate, as browsers' own compressors differ. One member, as Spin's reader stops after the first.
 */
export async function* gzip(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let out: Uint8Array[] = [HEADER]
  // A fixed `mem`, as fflate's default comes from a logarithm, which engines may round differently.
  const packer = new Deflate({ level: 6, mem: 8 }, (chunk) => {
    if (chunk.length > 0) out.push(chunk)
  })
  let crc = 0
  let total = 0
  let held: Uint8Array[] = []
  let size = 0
  const push = (last: boolean): void => {
    const piece = concat(held, size)
    crc = crc32(piece, crc)
    total += size
    packer.push(piece, last)
    held = []
    size = 0
  }
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length;) {
      // A full piece goes only once more follows, so that the last one is known to be the last.
      if (size === PIECE) {
        push(false)
        yield* out
        out = []
      }
      const part = chunk.slice(at, at + PIECE - size)
      held.push(part)
      size += part.length
      at += part.length
    }
  }
  push(true)
  yield* out
  const trailer = new DataView(new ArrayBuffer(8))
  trailer.setUint32(0, crc, true)
  trailer.setUint32(4, total, true)
  yield new Uint8Array(trailer.buffer)
}

interface GunzipOptions {
  /** Most bytes to unpack. */
  readonly maxBytes: number
  /** Names the content in messages. */
  readonly what: string
}

/**
 * The first member of a gzip file, unpacked step by step; what follows it is ignored, as Spin does.
 *
 * Throws `ERR_LIMIT_EXCEEDED` above `maxBytes`, `ERR_CONTENT_INVALID` for what is damaged, cut off
 * or no gzip. The checksum in the trailer is not looked at: content has a digest of its own.
 */
export async function* gunzip(
  source: AsyncIterable<Uint8Array>,
  { maxBytes, what }: GunzipOptions,
): AsyncGenerator<Uint8Array> {
  let out: Uint8Array[] = []
  let seen = 0
  const inflater = new Inflate((chunk) => {
    seen += chunk.length
    if (seen > maxBytes)
      throw new SpindleError(
        'ERR_LIMIT_EXCEEDED',
        `${what} unpacks to more than ${maxBytes} bytes`,
        { remedy: { option: 'maxBytes', advice: 'raise % if you trust the source' } },
      )
    if (chunk.length > 0) out.push(chunk)
  })
  const damaged = (cause?: unknown): SpindleError =>
    new SpindleError('ERR_CONTENT_INVALID', `${what} is no gzip, or damaged`, { cause })
  const step = (piece: Uint8Array, last: boolean): void => {
    try {
      inflater.push(piece, last)
    } catch (cause) {
      throw cause instanceof SpindleError ? cause : damaged(cause)
    }
  }
  let isHeader = true
  let held: Uint8Array = new Uint8Array(0)
  let idle = 0
  for await (const chunk of source) {
    held = held.length === 0 ? chunk : concat([held, chunk])
    if (isHeader) {
      const length = headerLength(held)
      if (length === -1 || (length === undefined && held.length > MAX_HEADER)) throw damaged()
      if (length === undefined) continue
      held = held.subarray(length)
      isHeader = false
    }
    // In whole steps: what follows the member is kept by fflate, and copied with each of them.
    for (; held.length >= STEP; held = held.subarray(STEP)) {
      step(held.subarray(0, STEP), false)
      idle = out.length > 0 ? 0 : idle + STEP
      yield* out
      out = []
      if (idle > MAX_STALL) break
    }
    if (idle > MAX_STALL) break
  }
  if (isHeader) throw damaged()
  if (idle <= MAX_STALL) {
    step(held, false)
    yield* out
    out = []
  }
  // fflate does not tell whether the member has ended. After its end these are nothing; before it they change something.
  step(new Uint8Array(16), true)
  if (out.length > 0) throw damaged()
}

/** Length of a gzip header; `undefined` when more is needed, -1 when it is none. @see RFC 1952, 2.3 */
function headerLength(bytes: Uint8Array): number | undefined {
  const magic = [31, 139, 8]
  if (magic.some((byte, i) => i < bytes.length && bytes[i] !== byte)) return -1
  if (bytes.length < 10) return undefined
  const flags = bytes[3] as number
  let at = 10
  if (flags & 4) {
    if (bytes.length < 12) return undefined
    at += 2 + (bytes[10] as number) + 256 * (bytes[11] as number)
  }
  for (const flag of [8, 16]) {
    if ((flags & flag) === 0) continue
    const end = bytes.indexOf(0, at)
    if (end === -1) return undefined
    at = end + 1
  }
  if (flags & 2) at += 2
  return at <= bytes.length ? at : undefined
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value
})

/** Goes on from `crc`, the value so far. @see PKWARE APPNOTE 6.3.10, 4.4.7 */
export function crc32(bytes: Uint8Array, crc: number = 0): number {
  let value = ~crc
  for (let i = 0; i < bytes.length; i++)
    value = (TABLE[(value ^ (bytes[i] as number)) & 0xff] as number) ^ (value >>> 8)
  return ~value >>> 0
}
