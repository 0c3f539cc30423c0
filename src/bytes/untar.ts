import { SpindleError } from '../errors.ts'
import type { ByteCursor } from './cursor.ts'
import { paddingOf, TAR_BLOCK } from './tar.ts'
import { decodeUtf8Lossy } from './text.ts'

/** One member of a tar archive. Its bytes can be read only until the next one is asked for. */
interface TarEntry {
  /** As it stands in the archive: it may lead anywhere, so never open it unchecked. */
  readonly path: string
  readonly kind: 'file' | 'directory' | 'link' | 'other'
  /** Of a link: what it leads to, as it stands in the archive, and whether it is a symbolic one. */
  readonly link: { readonly target: string; readonly isSymbolic: boolean } | undefined
  readonly size: number
  /** Where its bytes begin in the archive. */
  readonly offset: number
  bytes(): Promise<Uint8Array>
  /** The same piece by piece, for what is too large to hold. */
  chunks(): AsyncGenerator<Uint8Array>
}

export interface UntarOptions {
  /** Most entries, headers for long names included. Default 200000. */
  readonly maxEntries?: number | undefined
  /** Most bytes of one entry, of those that are read. Default 256 MiB. */
  readonly maxBytes?: number
  /** Names the archive in messages. */
  readonly what: string
}

const MAX_ENTRIES = 200_000
const MAX_BYTES = 256 * 1024 * 1024
/** Bytes that `chunks` gives at once, at most. */
const CHUNK = 256 * 1024
/** Longest extended header: Linux paths end at 4096 bytes. */
const MAX_META = 64 * 1024

interface Meta {
  path?: string
  linkPath?: string
  size?: number
}

/**
 * A tar archive's members in order: v7, ustar, GNU long names and base-256 sizes, pax paths and
 * sizes. Bounded by `maxEntries`; bound the bytes by what the cursor reads from.
 *
 * Throws `ERR_CONTENT_INVALID` for what is damaged or cut off, `ERR_LIMIT_EXCEEDED`, and
 * `ERR_UNSUPPORTED` for sparse files.
 * @see POSIX.1-2024 pax, "ustar Interchange Format" and "pax Interchange Format"
 */
export async function* readTar(
  cursor: ByteCursor,
  options: UntarOptions,
): AsyncGenerator<TarEntry> {
  const { maxEntries = MAX_ENTRIES, maxBytes = MAX_BYTES, what } = options
  const broken = (problem: string): SpindleError =>
    new SpindleError('ERR_CONTENT_INVALID', `${what} is no tar archive, or damaged: ${problem}`)
  const readFully = async (size: number): Promise<Uint8Array> => {
    const bytes = await cursor.read(size)
    if (bytes.length !== size) throw broken('it is cut off')
    return bytes
  }
  let meta: Meta = {}
  try {
    for (let count = 0; ; count++) {
      const block = await cursor.read(TAR_BLOCK)
      if (block.length === 0 || block.every((byte) => byte === 0)) return
      if (block.length !== TAR_BLOCK) throw broken('it is cut off')
      if (count >= maxEntries)
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          `${what} has more than ${maxEntries} entries`,
          { remedy: { option: 'maxFiles', advice: 'raise % if you trust the source' } },
        )
      if (!checksumFits(block)) throw broken('a header has a wrong checksum')
      const type = String.fromCharCode(block[156] as number)
      const size = parseNumber(block.subarray(124, 136))
      if (size === undefined) throw broken('a header has no valid size')
      if (type === 'L' || type === 'K' || type === 'x' || type === 'g') {
        if (size > MAX_META)
          throw new SpindleError(
            'ERR_LIMIT_EXCEEDED',
            `${what} has an extended header of more than ${MAX_META} bytes`,
          )
        const bytes = (await readFully(size + paddingOf(size))).subarray(0, size)
        if (type === 'L') meta.path = cString(bytes)
        if (type === 'K') meta.linkPath = cString(bytes)
        if (type === 'x') {
          const records = parsePax(bytes)
          if (records === undefined) throw broken('an extended header is malformed')
          meta = { ...meta, ...records }
        }
        continue
      }
      if (type === 'S')
        throw new SpindleError(
          'ERR_UNSUPPORTED',
          `${what} holds a sparse file; write it with tar's default options`,
        )
      const kind =
        type === '0' || type === '\0' || type === '7'
          ? 'file'
          : type === '5'
            ? 'directory'
            : type === '1' || type === '2'
              ? 'link'
              : 'other'
      // Only links and folders carry sizes without bytes after them.
      const length = kind === 'link' || kind === 'directory' ? 0 : (meta.size ?? size)
      const offset = cursor.position
      const begin = (): void => {
        if (cursor.position !== offset)
          throw new TypeError(
            'the bytes of a tar entry can be read once, before the next entry is asked for',
          )
        if (length > maxBytes)
          throw new SpindleError(
            'ERR_LIMIT_EXCEEDED',
            `${what} holds a file of ${length} bytes, more than ${maxBytes}`,
            { remedy: { option: 'maxBytes', advice: 'raise % if you trust the source' } },
          )
      }
      yield {
        path: meta.path ?? headerPath(block),
        kind,
        link:
          kind === 'link'
            ? {
                target: meta.linkPath ?? cString(block.subarray(157, 257)),
                isSymbolic: type === '2',
              }
            : undefined,
        size: length,
        offset,
        async bytes() {
          begin()
          return readFully(length)
        },
        async *chunks() {
          begin()
          for (let left = length; left > 0; left -= CHUNK) yield readFully(Math.min(left, CHUNK))
        },
      }
      meta = {}
      const left = offset + length + paddingOf(length) - cursor.position
      if ((await cursor.skip(left)) !== left) throw broken('it is cut off')
    }
  } finally {
    await cursor.close()
  }
}

function checksumFits(block: Uint8Array): boolean {
  const said = parseNumber(block.subarray(148, 156))
  let unsigned = 0
  let signed = 0
  for (let at = 0; at < TAR_BLOCK; at++) {
    const byte = at >= 148 && at < 156 ? 32 : (block[at] as number)
    unsigned += byte
    signed += byte > 127 ? byte - 256 : byte
  }
  // Some old writers added up signed characters.
  return said === unsigned || said === signed
}

/** Octal text or GNU's base-256; `undefined` when it is neither, negative, or too large to be exact. */
function parseNumber(field: Uint8Array): number | undefined {
  if (((field[0] as number) & 0x80) !== 0) {
    let value = (field[0] as number) & 0x7f
    if ((value & 0x40) !== 0) return undefined
    for (const byte of field.subarray(1)) value = value * 256 + byte
    return Number.isSafeInteger(value) ? value : undefined
  }
  const text = cString(field).trim()
  if (text === '') return 0
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : undefined
}

function cString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return decodeUtf8Lossy(end === -1 ? bytes : bytes.subarray(0, end))
}

function headerPath(block: Uint8Array): string {
  const name = cString(block.subarray(0, 100))
  // GNU's form ("ustar" and two blanks) keeps times where ustar keeps the prefix.
  const isUstar = cString(block.subarray(257, 263)) === 'ustar'
  const prefix = isUstar ? cString(block.subarray(345, 500)) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

/** `length key=value\n`, over and over. */
function parsePax(bytes: Uint8Array): Meta | undefined {
  const meta: Meta = {}
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at)
    const digits = space === -1 || space - at > 8 ? '' : cString(bytes.subarray(at, space))
    const end = at + Number(digits)
    if (
      !/^[1-9][0-9]*$/.test(digits) ||
      end > bytes.length ||
      end <= space + 1 ||
      bytes[end - 1] !== 10
    )
      return undefined
    const record = bytes.subarray(space + 1, end - 1)
    const equals = record.indexOf(61)
    if (equals < 1) return undefined
    const key = decodeUtf8Lossy(record.subarray(0, equals))
    const value = decodeUtf8Lossy(record.subarray(equals + 1))
    if (key === 'path') meta.path = value
    if (key === 'linkpath') meta.linkPath = value
    if (key === 'size') {
      if (!/^[0-9]{1,15}$/.test(value)) return undefined
      meta.size = Number(value)
    }
    at = end
  }
  return meta
}
