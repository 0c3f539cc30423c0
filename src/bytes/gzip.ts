import { Gunzip, Gzip } from 'fflate'
import { SpindleError } from '../errors.ts'
import { piecesOf } from './generate.ts'
import { concat } from './stream.ts'

/**
 * Bytes handed to the compressor at once. The compressed bytes depend on it, and so do digests
 * of archives: it stays as it is.
 */
const PIECE = 64 * 1024
/** Compressed bytes unpacked in one step: bounds what a step can produce to 16 MiB. */
const STEP = 16 * 1024
/** Compressed bytes after which something must have come out: a stored block has up to 64 KiB. */
const STALL = 128 * 1024
/** Longest header: it may hold a file name and a comment of any length. */
const MAX_HEADER = 64 * 1024

/**
 * One gzip member whose bytes depend on nothing but the input's: not on the engine, not on the
 * time, not on how the input is cut into chunks.
 *
 * By fflate, as browsers' own compressors differ. One member, as Spin's reader stops after the first.
 */
export async function* gzip(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let out: Uint8Array[] = []
  // A fixed `mem`, as fflate's default comes from a logarithm, which engines may round differently.
  const packer = new Gzip({ level: 6, mtime: 0, mem: 8 }, (chunk) => {
    if (chunk.length > 0) out.push(chunk)
  })
  let held: Uint8Array[] = []
  let size = 0
  const push = (last: boolean): void => {
    packer.push(concat(held, size), last)
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
}

export interface GunzipOptions {
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
  let called = false
  let seen = 0
  const inflater = new Gunzip((chunk) => {
    called = true
    seen += chunk.length
    if (seen > maxBytes)
      throw new SpindleError('ERR_LIMIT_EXCEEDED', `${what} unpacks to more than ${maxBytes} bytes`)
    if (chunk.length > 0) out.push(chunk)
  })
  let ended = false
  // fflate goes on to a next member, which it looks for as soon as the first one has ended.
  inflater.onmember = () => {
    ended = true
    throw new Error('the first member has ended')
  }
  const damaged = (cause?: unknown): SpindleError =>
    new SpindleError('ERR_CONTENT_INVALID', `${what} is no gzip, or damaged`, { cause })
  const step = (piece: Uint8Array): void => {
    called = false
    try {
      inflater.push(piece, false)
    } catch (cause) {
      if (cause instanceof SpindleError) throw cause
      // 6: "invalid gzip data", at a header: as the first is known to be good, this is what follows the member.
      if (ended || (cause as { code?: unknown }).code === 6) ended = true
      else throw damaged(cause)
    }
    // Nothing handed over, not even an empty chunk: it waits for a next member's header.
    if (!called) ended = true
  }
  let head: Uint8Array | undefined = new Uint8Array(0)
  let idle = 0
  for await (const chunk of source) {
    let body = chunk
    if (head !== undefined) {
      head = concat([head, chunk])
      const length = headerLength(head)
      if (length === -1 || (length === undefined && head.length > MAX_HEADER)) throw damaged()
      if (length === undefined) continue
      // A plain header in place of the one that came: nothing in it matters here.
      step(new Uint8Array([31, 139, 8, 0, 0, 0, 0, 0, 0, 255]))
      ended = false
      body = head.subarray(length)
      head = undefined
    }
    for (const piece of piecesOf(body, STEP)) {
      step(piece)
      idle = out.length > 0 ? 0 : idle + piece.length
      yield* out
      out = []
      if (ended) return
      if (idle > STALL) throw damaged()
    }
  }
  if (head !== undefined) throw damaged()
  // fflate does not tell whether the member has ended. After its end these are no header; before it they change something.
  step(new Uint8Array(16))
  if (!ended || out.length > 0) throw damaged()
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
