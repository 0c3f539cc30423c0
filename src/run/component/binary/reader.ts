import { SpindleError } from '../../../errors.ts'

/** Reads a component's bytes; every refusal says at which byte of the whole file. */
export interface Reader {
  /** Offset in the whole file. */
  readonly offset: number
  readonly done: boolean
  byte(): number
  /** Bytes left. */
  size(): number
  /** The next byte, not taken. */
  peek(): number
  u32(): number
  /** A signed LEB128 of 33 bits: a type index, or a negative code. */
  s33(): number
  name(): string
  bytes(length: number): Uint8Array
  vector<T>(item: (index: number) => T): T[]
  optional<T>(item: () => T): T | undefined
  /** A reader over the next `length` bytes, which are taken. */
  slice(length: number): Reader
  fail(message: string): never
  /** As `fail`, of a code that the format does not have. */
  unknown(what: string, code: number): never
  unsupported(feature: string): never
}

// Names are labels, interface names with versions, URLs at worst: far below this.
const MAX_NAME = 100_000

// An application has some thousands. Each becomes an object many times the size of its bytes.
const MAX_ITEMS = 1_000_000

/** Types within types: no toolchain comes near; keeps hostile input off the stack. */
export const MAX_DEPTH = 100

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function createReader(
  file: Uint8Array,
  start = 0,
  end: number = file.length,
  taken: { items: number } = { items: 0 },
): Reader {
  let at = start

  const fail = (message: string): never => {
    throw new SpindleError('ERR_CONTENT_INVALID', `malformed component: ${message} (at byte ${at})`)
  }
  const byte = (): number => (at < end ? (file[at++] as number) : fail('unexpected end'))
  const u32 = (): number => {
    let result = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const next = byte()
      if (shift === 28 && next > 0x0f) break
      result += (next & 0x7f) * 2 ** shift
      if (next < 0x80) return result
    }
    return fail('number is too large')
  }
  const bytes = (length: number): Uint8Array => {
    if (length > end - at) fail(`${length} bytes announced, ${end - at} left`)
    at += length
    return file.subarray(at - length, at)
  }

  return {
    get offset() {
      return at
    },
    get done() {
      return at >= end
    },
    byte,
    u32,
    bytes,
    fail,
    unknown: (what, code) => fail(`unknown ${what} 0x${code.toString(16)}`),
    size: () => end - at,
    peek: () => (at < end ? (file[at] as number) : fail('unexpected end')),
    s33() {
      let result = 0
      for (let shift = 0; shift < 35; shift += 7) {
        const next = byte()
        result += (next & 0x7f) * 2 ** shift
        if (next >= 0x80) continue
        if (next & 0x40) result -= 2 ** (shift + 7)
        if (result >= 2 ** 32 || result < -(2 ** 32)) break
        return result
      }
      return fail('number is too large')
    },
    name() {
      const length = u32()
      if (length > MAX_NAME) fail(`name of ${length} bytes`)
      const raw = bytes(length)
      try {
        return decoder.decode(raw)
      } catch {
        return fail('name is not UTF-8')
      }
    },
    vector(item) {
      const count = u32()
      // Every item takes a byte at least: a count can't make us loop or reserve beyond the file.
      if (count > end - at) fail(`${count} items announced, ${end - at} bytes left`)
      if ((taken.items += count) > MAX_ITEMS) {
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          `component has more than ${MAX_ITEMS} definitions and parts of them (at byte ${at})`,
        )
      }
      return Array.from({ length: count }, (_, index) => item(index))
    },
    optional(item) {
      const flag = byte()
      if (flag > 1) fail(`0x${flag.toString(16)} is neither "absent" nor "present"`)
      return flag === 1 ? item() : undefined
    },
    slice(length) {
      bytes(length)
      return createReader(file, at - length, at, taken)
    },
    unsupported(feature) {
      throw new SpindleError(
        'ERR_UNSUPPORTED',
        `component feature not supported: ${feature} (at byte ${at})`,
      )
    },
  }
}
