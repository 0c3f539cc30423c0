import { SpindleError } from '../../../errors.ts'

/**
 * A key-value store for components. Synchronous results work in every engine; a Promise makes the
 * guest wait, which needs JSPI.
 *
 * Exported from `spindle/run`.
 */
export interface KeyValueStore {
  get(key: string): Uint8Array | undefined | Promise<Uint8Array | undefined>
  set(key: string, value: Uint8Array): void | Promise<void>
  delete(key: string): void | Promise<void>
  keys(): Iterable<string> | Promise<Iterable<string>>
  /**
   * Runs `work` as one transaction: other readers see all of its writes or none, and a failure rolls
   * them back. For synchronous stores. Default: writes run one after the other without a transaction.
   */
  together?<T>(work: () => T): T
}

// Bytes of keys and values of one in-memory store.
const MAX_BYTES = 64 * 1024 * 1024
// Each key takes some 300 bytes of overhead.
const MAX_KEYS = 100_000

/**
 * An in-memory store. Do not modify the bytes that `get` returns: they are not copied, because
 * components receive copies.
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
