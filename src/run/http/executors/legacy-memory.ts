import { encodeUtf8 } from '../../../bytes/text.ts'
import type { CoreModuleInstance } from '../../core-module.ts'

type Pairs = ReadonlyArray<readonly [string, string]>

/** The memory of a module, by the ABI of wit-bindgen 0.2. What is put is given as place and length. */
export interface Access {
  readonly view: () => DataView
  readonly bytes: (at: number, length: number) => Uint8Array
  readonly text: (at: number, length: number) => string
  readonly copy: (at: number, length: number) => Uint8Array
  readonly pairs: (at: number, count: number) => Pairs
  readonly u8: (at: number, value: number) => void
  readonly u32: (at: number, ...values: number[]) => void
  readonly allocate: (size: number, align: number) => number
  readonly put: (value: Uint8Array) => readonly [number, number]
  readonly putText: (text: string) => readonly [number, number]
  readonly putPairs: (pairs: Pairs) => readonly [number, number]
}

/** `instance` is asked late: the memory moves when it grows. */
export function createMemoryAccess(instance: () => CoreModuleInstance): Access {
  const view = (): DataView => new DataView(instance().memory.buffer)
  const bytes = (at: number, length: number): Uint8Array =>
    new Uint8Array(instance().memory.buffer, at >>> 0, length >>> 0)
  const realloc = (): string =>
    instance().has('canonical_abi_realloc') ? 'canonical_abi_realloc' : 'cabi_realloc'
  const allocate = (size: number, align: number): number =>
    size === 0 ? align : (instance().call(realloc(), 0, 0, align, size) as number) >>> 0
  const put = (value: Uint8Array): readonly [number, number] => {
    const at = allocate(value.length, 1)
    bytes(at, value.length).set(value)
    return [at, value.length]
  }
  const u32 = (at: number, ...values: number[]): void =>
    values.forEach((value, i) => view().setUint32((at >>> 0) + i * 4, value, true))
  const text = (at: number, length: number): string => new TextDecoder().decode(bytes(at, length))
  return {
    view,
    bytes,
    put,
    u32,
    allocate,
    text,
    u8: (at, value) => view().setUint8(at >>> 0, value),
    copy: (at, length) => bytes(at, length).slice(),
    putText: (value) => put(encodeUtf8(value)),
    putPairs(pairs) {
      const at = allocate(pairs.length * 16, 4)
      pairs.forEach(([name, value], i) =>
        u32(at + i * 16, ...put(encodeUtf8(name)), ...put(encodeUtf8(value))),
      )
      return [at, pairs.length]
    },
    pairs(at, count) {
      // Each pair takes 16 bytes of memory: a count can't ask for more than there is.
      bytes(at, count * 16)
      return Array.from({ length: count >>> 0 }, (_, i) => {
        const word = (n: number): number => view().getUint32((at >>> 0) + i * 16 + n * 4, true)
        return [text(word(0), word(1)), text(word(2), word(3))] as const
      })
    },
  }
}
