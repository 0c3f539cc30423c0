import { decodeUtf8 } from '../../bytes/text.ts'
import { SpindleError } from '../../errors.ts'

/** Longest name of an import, export or label. Real ones have some hundred bytes. */
const MAX_NAME_BYTES = 100_000

/** Reads a component's bytes; what it refuses names the component and the byte. */
export interface Reader {
  readonly done: boolean
  /** The next byte, not taken. */
  peek(): number
  byte(): number
  u32(): number
  name(): string
  vector<T>(item: () => T): T[]
  /** A reader over the next bytes, which are taken. */
  slice(length: number): Reader
  fail(problem: string): never
  unsupported(feature: string): never
}

export function createReader(bytes: Uint8Array, start: number, end: number, what: string): Reader {
  let at = start
  const fail = (problem: string): never => {
    throw new SpindleError(
      'ERR_CONTENT_INVALID',
      `${what} is malformed: ${problem} (at byte ${at})`,
    )
  }
  const unsupported = (feature: string): never => {
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      `${what} can't be composed: ${feature} (at byte ${at}); compose it beforehand (wac plug)`,
    )
  }
  const byte = (): number => (at < end ? (bytes[at++] as number) : fail('unexpected end'))
  const u32 = (): number => {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const next = byte()
      value += (next & 0x7f) * 2 ** shift
      if (next < 0x80) return value < 2 ** 32 ? value : fail('number is too large')
    }
    return fail('number is too large')
  }
  const take = (length: number): Uint8Array => {
    if (length > end - at) fail(`${length} bytes announced, ${end - at} left`)
    at += length
    return bytes.subarray(at - length, at)
  }
  return {
    get done() {
      return at >= end
    },
    peek: () => (at < end ? (bytes[at] as number) : fail('unexpected end')),
    byte,
    u32,
    fail,
    unsupported,
    name(): string {
      const length = u32()
      if (length > MAX_NAME_BYTES) fail(`a name of ${length} bytes`)
      return decodeUtf8(take(length)) ?? fail('a name is not UTF-8')
    },
    slice(length: number): Reader {
      take(length)
      return createReader(bytes, at - length, at, what)
    },
    vector<T>(item: () => T): T[] {
      const count = u32()
      if (count > end - at) fail(`${count} items announced, ${end - at} bytes left`)
      return Array.from({ length: count }, item)
    },
  }
}
