import { encodeUtf8 } from '../../bytes/text.ts'
import type { Ledger } from '../budget.ts'
import { MAX_LIFTED } from '../component/abi/memory.ts'
import { trap } from '../component/abi/runtime.ts'
import type { CoreModuleInstance } from './core-module.ts'

type Pairs = ReadonlyArray<readonly [string, string]>

/** The memory of a module, by the ABI of wit-bindgen 0.2. What is put is given as place and length. */
export interface Access {
  readonly view: () => DataView
  /** What was copied out has been handed on. */
  readonly settle: () => void
  readonly bytes: (at: number, length: number) => Uint8Array
  readonly text: (at: number, length: number) => string
  readonly copy: (at: number, length: number) => Uint8Array
  /** `count` items of `size` bytes each. */
  readonly items: <T>(
    at: number,
    count: number,
    size: number,
    read: (at: number, within: ItemAccess) => T,
  ) => T[]
  readonly pairs: (at: number, count: number) => Pairs
  readonly u8: (at: number, value: number) => void
  readonly u32: (at: number, ...values: number[]) => void
  readonly allocate: (size: number, align: number) => number
  readonly put: (value: Uint8Array) => readonly [number, number]
  readonly putText: (text: string) => readonly [number, number]
  readonly putPairs: (pairs: Pairs) => readonly [number, number]
}

/** What an item points to: place and length lie at `at`. */
interface ItemAccess {
  readonly text: (at: number) => string
  readonly copy: (at: number) => Uint8Array
}

// What one item takes on our side, about, beside its own bytes.
const ITEM = 64

/**
 * `instance` is asked late: the memory moves when it grows. `ledger` pays for what is copied out of it,
 * until the module returns: what becomes of it is the host's affair.
 */
export function createMemoryAccess(instance: () => CoreModuleInstance, ledger: Ledger): Access {
  const view = (): DataView => new DataView(instance().memory.buffer)
  const bytes = (at: number, length: number): Uint8Array =>
    new Uint8Array(instance().memory.buffer, at >>> 0, length >>> 0)
  const realloc = (): string =>
    instance().has('canonical_abi_realloc') ? 'canonical_abi_realloc' : 'cabi_realloc'
  const allocate = (size: number, align: number): number =>
    size === 0 ? align : (instance().call(realloc(), 0, 0, align, size) as number) >>> 0
  const put = (value: Uint8Array): readonly [number, number] => {
    pass(value.length)
    const at = allocate(value.length, 1)
    bytes(at, value.length).set(value)
    return [at, value.length]
  }
  const u32 = (at: number, ...values: number[]): void =>
    values.forEach((value, i) => view().setUint32((at >>> 0) + i * 4, value, true))
  // Until the next call of a host's function: by then it has been handed on.
  let passing = 0
  const pass = (held: number): void => {
    ledger.charge(held)
    passing += held
  }
  const settle = (): void => {
    ledger.release(passing)
    passing = 0
  }
  const text = (at: number, length: number): string => {
    const part = bytes(at, length)
    pass(2 * part.length)
    return new TextDecoder().decode(part)
  }
  const copy = (at: number, length: number): Uint8Array => {
    const part = bytes(at, length)
    pass(part.length)
    return part.slice()
  }
  const items: Access['items'] = (at, count, size, read) => {
    const { buffer } = instance().memory
    const all = new Uint8Array(buffer, at >>> 0, (count >>> 0) * size)
    let taken = (count >>> 0) * ITEM
    pass(taken)
    const part =
      <T>(take: (at: number, length: number) => T) =>
      (pair: number): T => {
        const length = view().getUint32(pair + 4, true)
        // Items may lie over each other, so that memory itself is no bound.
        if ((taken += length) > MAX_LIFTED)
          trap(`one call passes more than ${MAX_LIFTED} bytes out of memory`)
        return take(view().getUint32(pair, true), length)
      }
    const within = { text: part(text), copy: part(copy) }
    return Array.from({ length: count >>> 0 }, (_, i) => read(all.byteOffset + i * size, within))
  }
  return {
    view,
    settle,
    bytes,
    copy,
    put,
    u32,
    allocate,
    text,
    u8: (at, value) => view().setUint8(at >>> 0, value),
    putText: (value) => put(encodeUtf8(value)),
    putPairs(pairs) {
      const at = allocate(pairs.length * 16, 4)
      pairs.forEach(([name, value], i) =>
        u32(at + i * 16, ...put(encodeUtf8(name)), ...put(encodeUtf8(value))),
      )
      return [at, pairs.length]
    },
    items,
    pairs: (at, count) =>
      items(at, count, 16, (pair, within) => [within.text(pair), within.text(pair + 8)] as const),
  }
}
