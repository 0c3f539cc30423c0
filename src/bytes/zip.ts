import { Inflate } from 'fflate'
import { SpindleError } from '../errors.ts'
import type { Content } from '../types.ts'
import { crc32 } from './gzip.ts'
import { piecesOf, streamFrom, chunksOf, readExactly } from './stream.ts'
import { MAX_PATH_LENGTH, normalizePath, quotePath } from './path.ts'
import { type SliceableContent, sliceableOf } from './sliceable.ts'
import { decodeUtf8, decodeUtf8Lossy } from './text.ts'

interface ZipLimits {
  /** Most bytes of all entries together, unpacked. Default 256 MiB. */
  readonly maxBytes?: number | undefined
  /** Most entries. Default 200000. */
  readonly maxEntries?: number | undefined
}

const DEFAULT_MAX_BYTES = 256 * 1024 * 1024
const DEFAULT_MAX_ENTRIES = 200_000
/** Deflate can't do better than 258 bytes in 2 bits; a size beyond that is a lie. */
const DEFLATE_MAX_RATIO = 1032
/** Compressed bytes given to the inflater at once: bounds what one step can produce to 16 MiB. */
const STEP = 16 * 1024
/** Compressed bytes after which something must have come out: a stored block has up to 64 KiB. */
const MAX_STALL = 128 * 1024
const END_SIZE = 22
const LOCAL_SIZE = 30

/** What a zip has under a path. */
export interface ZipMember {
  readonly content: Content
  /** Why it can't be taken: its name, a link, encryption. */
  readonly problem?: SpindleError
}

interface Entry {
  readonly name: Uint8Array
  readonly path: string
  readonly method: number
  readonly crc: number
  readonly packed: number
  readonly size: number
  readonly start: number
  readonly problem: SpindleError | undefined
  /** Where the next thing in the file begins. */
  limit: number
}

/**
 * A zip's files by normalized path, all of which have to be good. See `listZip`.
 *
 * Rejects with `ERR_CONTENT_INVALID`, `ERR_LIMIT_EXCEEDED`, or `ERR_UNSUPPORTED`.
 */
export async function readZip(
  source: SliceableContent | Uint8Array,
  limits: ZipLimits = {},
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, Content>> {
  const { maxBytes = DEFAULT_MAX_BYTES } = limits
  const members = await listZip(source, limits, signal)
  let total = 0
  const files = new Map<string, Content>()
  for (const [path, { content, problem }] of members) {
    if (problem !== undefined) throw problem
    total += content.size
    if (total > maxBytes) throw zipTooLarge(maxBytes)
    files.set(path, content)
  }
  return files
}

export function zipTooLarge(maxBytes: number): SpindleError {
  return new SpindleError('ERR_LIMIT_EXCEEDED', `the zip unpacks to more than ${maxBytes} bytes`, {
    remedy: { option: 'maxBytes', advice: 'leave files out, or raise %' },
  })
}

/**
 * What a zip has, by path; each file is unpacked, and checked against its size and CRC, only when its
 * stream is read. Paths are normalized, but for those with a `problem`.
 *
 * Written for archives of strangers: only what all zip readers read alike is accepted. A zip is refused
 * for paths out of it, duplicates, overlaps, sizes that can't be true, and data before, between or after
 * that no entry owns up to. Encrypted entries, links, and names that can't be taken are refused where
 * they are used: a link in `node_modules` does not concern the application.
 *
 * Rejects with `ERR_CONTENT_INVALID`, `ERR_LIMIT_EXCEEDED`, or `ERR_UNSUPPORTED` for zip64. A problem is
 * `ERR_CONTENT_INVALID`, or `ERR_UNSUPPORTED` for encryption and compression methods but stored and
 * deflate.
 * @see PKWARE APPNOTE 6.3.10, 4.3
 */
export async function listZip(
  source: SliceableContent | Uint8Array,
  { maxEntries = DEFAULT_MAX_ENTRIES }: Pick<ZipLimits, 'maxEntries'> = {},
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, ZipMember>> {
  const zip = source instanceof Uint8Array ? sliceableOf(source) : source
  const end = await readEnd(zip, signal)
  if (end.count > maxEntries)
    throw new SpindleError(
      'ERR_LIMIT_EXCEEDED',
      `the zip has ${end.count} entries, more than ${maxEntries}`,
      { remedy: { option: 'maxFiles', advice: 'leave files out, or raise %' } },
    )
  const directory = await read(zip, end.start, end.start + end.size, signal)
  const members = new Map<string, ZipMember>()
  for (const entry of parseDirectory(directory, end)) {
    const { path, problem, size } = entry
    const content = { size, stream: () => streamFrom(unpack(zip, entry)) }
    // Of two under one path, the one that can't be taken counts.
    if (problem !== undefined) members.set(path, { content, problem })
    else if (!members.has(path)) members.set(path, { content })
  }
  return members
}

function read(
  zip: SliceableContent,
  start: number,
  end: number,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  return readExactly(zip.slice(start, end), end - start, 'a part of the zip', signal)
}

interface End {
  readonly count: number
  readonly start: number
  readonly size: number
}

async function readEnd(zip: SliceableContent, signal: AbortSignal | undefined): Promise<End> {
  const tailStart = Math.max(0, zip.size - END_SIZE - 0xffff)
  const tail = await read(zip, tailStart, zip.size, signal)
  const view = viewOf(tail)
  for (let at = tail.length - END_SIZE; at >= 0; at--) {
    if (
      view.getUint32(at, true) !== 0x06054b50 ||
      at + END_SIZE + view.getUint16(at + 20, true) !== tail.length
    )
      continue
    const count = view.getUint16(at + 10, true)
    const size = view.getUint32(at + 12, true)
    const start = view.getUint32(at + 16, true)
    const wide = at >= 20 && view.getUint32(at - 20, true) === 0x07064b50
    if (wide || count === 0xffff || size === 0xffffffff || start === 0xffffffff) {
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        'this is a zip64 archive (4 GiB or 65535 entries and more), which is not read: zip less, or give a folder',
      )
    }
    if (
      view.getUint16(at + 4, true) !== 0 ||
      view.getUint16(at + 6, true) !== 0 ||
      view.getUint16(at + 8, true) !== count
    ) {
      throw new SpindleError('ERR_UNSUPPORTED', 'this zip is one part of several: join them first')
    }
    if (start + size !== tailStart + at) throw broken('its directory is not where it says it is')
    return { count, start, size }
  }
  throw broken('there is no directory at its end; it is cut off, or no zip at all')
}

function parseDirectory(bytes: Uint8Array, end: End): Entry[] {
  const view = viewOf(bytes)
  const all: { start: number; least: number; entry?: Entry }[] = []
  const paths = new Set<string>()
  let at = 0
  for (let i = 0; i < end.count; i++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== 0x02014b50)
      throw broken('its directory is damaged')
    const nameLength = view.getUint16(at + 28, true)
    const next =
      at + 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)
    if (next > bytes.length) throw broken('its directory is damaged')
    const name = bytes.subarray(at + 46, at + 46 + nameLength)
    const shown = quotePath(decodeUtf8Lossy(name))
    const flags = view.getUint16(at + 8, true)
    const method = view.getUint16(at + 10, true)
    const packed = view.getUint32(at + 20, true)
    const size = view.getUint32(at + 24, true)
    const start = view.getUint32(at + 42, true)
    if (packed === 0xffffffff || size === 0xffffffff || start === 0xffffffff)
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        `${shown} in the zip is a zip64 entry, which is not read: give a folder`,
      )
    const kind = (view.getUint32(at + 38, true) >>> 28) & 0xf
    const text = decodeUtf8Lossy(name)
    const { path, problem } = pathOf(name, text, shown)
    const isEncrypted = (flags & 0x2041) !== 0
    const refusal =
      problem ??
      (isEncrypted
        ? new SpindleError(
            'ERR_UNSUPPORTED',
            `${shown} in the zip is encrypted: zip it without a password`,
          )
        : method !== 0 && method !== 8
          ? new SpindleError(
              'ERR_UNSUPPORTED',
              `${shown} in the zip is compressed by method ${method}: use deflate`,
            )
          : kind === 0xa
            ? broken(`${shown} is a link; put the file itself there`)
            : kind !== 0 && kind !== 8 && kind !== 4
              ? broken(`${shown} is neither a file nor a folder`)
              : undefined)
    if (
      !isEncrypted &&
      (method === 0 ? packed !== size : method === 8 && size > packed * DEFLATE_MAX_RATIO)
    )
      throw broken(`the size of ${shown} can't be true`)
    const place = { start, least: start + LOCAL_SIZE + nameLength + packed }
    if (text.endsWith('/') && refusal === undefined) {
      if (size !== 0) throw broken(`the folder ${shown} has contents`)
      all.push(place)
    } else {
      if (refusal === undefined) {
        if (paths.has(path)) throw broken(`${shown} occurs twice`)
        paths.add(path)
      }
      all.push({
        ...place,
        entry: {
          name,
          path,
          method,
          crc: view.getUint32(at + 16, true),
          packed,
          size,
          start,
          problem: refusal,
          limit: 0,
        },
      })
    }
    at = next
  }
  if (at !== bytes.length) throw broken('its directory holds more than it says')
  const entries = all.flatMap(({ entry }) => entry ?? [])
  let limit = end.start
  for (const { start, least, entry } of all.sort((a, b) => b.start - a.start)) {
    if (least > limit) throw broken('entries overlap')
    if (entry !== undefined) entry.limit = limit
    limit = start
  }
  return entries
}

/** What leads out of the archive, however its separators are read, or fits no file system. */
const ESCAPES = /(?:^|[\\/])\.\.(?:[\\/]|$)|^[\\/]|^[A-Za-z]:[\\/]/

/**
 * Where an entry stands; with a problem, where it would stand.
 * @throws `ERR_CONTENT_INVALID` for a path that no honest zip has.
 */
function pathOf(
  name: Uint8Array,
  text: string,
  shown: string,
): { readonly path: string; readonly problem?: SpindleError } {
  const result = normalizePath(text)
  const path = text
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.')
    .join('/')
  const isLong = text.length > MAX_PATH_LENGTH
  if ('problem' in result && (path === '' || isLong || ESCAPES.test(text)))
    throw broken(`the path ${shown} ${result.problem}`)
  if (decodeUtf8(name) === undefined) {
    const advice = 'zip it with a tool that writes UTF-8 names'
    return { path, problem: broken(`the name ${shown} is not UTF-8; ${advice}`) }
  }
  return 'problem' in result
    ? { path, problem: broken(`the path ${shown} ${result.problem}`) }
    : result
}

async function* unpack(zip: SliceableContent, entry: Entry): AsyncGenerator<Uint8Array> {
  const shown = quotePath(entry.path)
  const head = await read(zip, entry.start, entry.start + LOCAL_SIZE + entry.name.length)
  const view = viewOf(head)
  const sameName = head.subarray(LOCAL_SIZE).every((byte, i) => byte === entry.name[i])
  const agrees =
    view.getUint32(0, true) === 0x04034b50 &&
    (view.getUint16(6, true) & 0x2041) === 0 &&
    view.getUint16(8, true) === entry.method &&
    view.getUint16(26, true) === entry.name.length &&
    sameName
  if (!agrees) throw broken(`the entry ${shown} differs from the directory`)
  const start = entry.start + LOCAL_SIZE + entry.name.length + view.getUint16(28, true)
  if (start + entry.packed > entry.limit) throw broken('entries overlap')
  const packed = zip.slice(start, start + entry.packed).stream()
  let size = 0
  let crc = 0
  for await (const chunk of entry.method === 0
    ? chunksOf(packed)
    : inflate(packed, entry.size, shown)) {
    size += chunk.length
    if (size > entry.size) throw broken(`${shown} is longer than it says`)
    crc = crc32(chunk, crc)
    yield chunk
  }
  if (size !== entry.size || crc !== entry.crc)
    throw broken(`${shown} is damaged: its size or checksum differs`)
}

async function* inflate(
  packed: ReadableStream<Uint8Array>,
  size: number,
  shown: string,
): AsyncGenerator<Uint8Array> {
  let out: Uint8Array[] = []
  let seen = 0
  let idle = 0
  const inflater = new Inflate((chunk) => {
    if (chunk.length > 0) out.push(chunk)
  })
  const step = (piece: Uint8Array, last: boolean): void => {
    try {
      inflater.push(piece, last)
    } catch (cause) {
      throw broken(`${shown} is damaged`, cause)
    }
    const produced = out.reduce((sum, chunk) => sum + chunk.length, 0)
    seen += produced
    idle = produced > 0 ? 0 : idle + piece.length
    if (seen > size) throw broken(`${shown} is longer than it says`)
    if (idle > MAX_STALL) throw broken(`${shown} is damaged: it goes on after its end`)
  }
  for await (const chunk of chunksOf(packed)) {
    for (const piece of piecesOf(chunk, STEP)) {
      step(piece, false)
      yield* out
      out = []
    }
  }
  step(new Uint8Array(0), true)
  yield* out
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function broken(problem: string, cause?: unknown): SpindleError {
  return new SpindleError('ERR_CONTENT_INVALID', `this zip is refused: ${problem}`, { cause })
}
