import { SpindleError } from '../../../errors.ts'

/**
 * Where components keep values. Synchronous answers serve guests in every engine; a Promise makes
 * the guest wait, which needs JSPI.
 *
 * Exported from `spindle/run`.
 */
export interface KeyValueStore {
  get(key: string): Uint8Array | undefined | Promise<Uint8Array | undefined>
  set(key: string, value: Uint8Array): void | Promise<void>
  delete(key: string): void | Promise<void>
  keys(): Iterable<string> | Promise<Iterable<string>>
  /**
   * Does several things of which others see all or none, and what failed undoes the rest; for stores
   * that answer at once. Default: one after the other.
   */
  together?<T>(work: () => T): T
}

// What a store in memory holds in all: a guest must not fill the host's.
const MAX_BYTES = 64 * 1024 * 1024
// Each takes some 300 bytes beside its own, however short it is.
const MAX_KEYS = 100_000

/**
 * A store that lives as long as the page or process does. What `get` gives is not to be changed: it is
 * not copied, as components take copies.
 *
 * Exported from `spindle/run`.
 */
export function createMemoryKeyValue(
  options: { readonly maxBytes?: number; readonly maxKeys?: number } = {},
): KeyValueStore {
  const limit = options.maxBytes ?? MAX_BYTES
  const most = options.maxKeys ?? MAX_KEYS
  const values = new Map<string, Uint8Array>()
  let total = 0
  const size = (key: string): number => {
    const value = values.get(key)
    return value === undefined ? 0 : key.length + value.length
  }
  return {
    get: (key) => values.get(key),
    set(key, value) {
      const next = total - size(key) + key.length + value.length
      if (next > limit)
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          `the store is full: it holds ${limit} bytes at most`,
        )
      if (values.size >= most && !values.has(key))
        throw new SpindleError(
          'ERR_LIMIT_EXCEEDED',
          `the store is full: it holds ${most} keys at most`,
        )
      total = next
      values.set(key, value.slice())
    },
    delete(key) {
      total -= size(key)
      values.delete(key)
    },
    keys: () => [...values.keys()],
  }
}
