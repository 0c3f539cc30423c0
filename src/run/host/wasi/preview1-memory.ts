import { encodeUtf8 } from '../../../bytes/text.ts'
import { SpindleError } from '../../../errors.ts'
import type { Ledger } from '../../budget.ts'
import { HELD } from '../../component/abi/codec.ts'

/** The preview1 `errno` values that this host returns. */
export const ERRNO = {
  success: 0,
  badf: 8,
  exist: 20,
  inval: 28,
  isdir: 31,
  nametoolong: 37,
  noent: 44,
  notdir: 54,
  rofs: 69,
  spipe: 70,
  notsup: 58,
  notcapable: 76,
  fault: 21,
} as const

/** Reads and writes a core module's memory. Access out of bounds throws, which ends the guest. */
export interface GuestMemory {
  data(): DataView
  bytes(at: number, length: number): Uint8Array
  text(at: number, length: number): string
  u32(at: number, value: number): void
  u64(at: number, value: bigint): void
  /** The buffers that a list of `iovec`s names. */
  vectors(at: number, count: number): Uint8Array[]
}

// Buffers per call; a guest with more calls again.
const MAX_VECTORS = 1024

export function createGuestMemory(memory: () => WebAssembly.Memory | undefined): GuestMemory {
  const buffer = (): ArrayBuffer => {
    const found = memory()?.buffer
    if (found === undefined)
      throw new SpindleError(
        'ERR_TRAP',
        'component trapped: it calls the host before it has memory',
      )
    return found
  }
  const data = (): DataView => new DataView(buffer())
  const bytes = (at: number, length: number): Uint8Array =>
    new Uint8Array(buffer(), at >>> 0, length >>> 0)
  return {
    data,
    bytes,
    text: (at, length) => new TextDecoder().decode(bytes(at, length)),
    u32: (at, value) => data().setUint32(at >>> 0, value, true),
    u64: (at, value) => data().setBigUint64(at >>> 0, value, true),
    vectors: (at, count) =>
      Array.from({ length: Math.min(count >>> 0, MAX_VECTORS) }, (_, i) => {
        const view = data()
        const pair = (at >>> 0) + i * 8
        return bytes(view.getUint32(pair, true), view.getUint32(pair + 4, true))
      }),
  }
}

/** The `*_sizes_get` and `*_get` functions of arguments or environment. Strings are encoded on first use. */
export function createStrings(
  { u32, bytes }: GuestMemory,
  list: () => readonly string[],
  ledger: Ledger,
) {
  let made: readonly Uint8Array[] | undefined
  const strings = (): readonly Uint8Array[] =>
    (made ??= list().map((item) => {
      const string = encodeUtf8(`${item}\0`)
      ledger.charge(HELD.bytes + string.length)
      return string
    }))
  return {
    sizes(count: number, size: number): number {
      const encoded = strings()
      u32(count, encoded.length)
      u32(
        size,
        encoded.reduce((sum, item) => sum + item.length, 0),
      )
      return ERRNO.success
    },
    get(pointers: number, at: number): number {
      let next = at >>> 0
      strings().forEach((item, i) => {
        u32((pointers >>> 0) + i * 4, next)
        bytes(next, item.length).set(item)
        next += item.length
      })
      return ERRNO.success
    },
  }
}
