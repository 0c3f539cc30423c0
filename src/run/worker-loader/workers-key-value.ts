import { SpindleError } from '../../errors.ts'
import type { KeyValueStore } from '../host/spin/key-value-store.ts'

/** The subset of Workers' `KVNamespace` that is used. */
export interface WorkersKeyValueNamespace {
  get(key: string, type: 'arrayBuffer'): Promise<ArrayBuffer | null>
  put(key: string, value: ArrayBuffer | ArrayBufferView): Promise<void>
  delete(key: string): Promise<void>
  list(options: { prefix?: string | null; cursor?: string | null }): Promise<{
    readonly keys: ReadonlyArray<{ readonly name: string }>
    readonly list_complete: boolean
    readonly cursor?: string
  }>
}

export interface WorkersKeyValueOptions {
  /** Prefix of each key, so that stores can share a namespace. Default `''`. */
  readonly prefix?: string
}

// A listing goes by a thousand: this many keys is more than a guest can take in one answer.
const MAX_KEYS = 100_000

/**
 * A key-value store in a Workers KV namespace. It is eventually consistent: writes can take a minute
 * or more to be visible in other locations.
 *
 * Exported from `spindle/worker-loader`.
 *
 * @example Two stores in one namespace
 * const keyValue = (label: string) => createWorkersKeyValue(env.VALUES, { prefix: `${label}/` })
 */
export function createWorkersKeyValue(
  namespace: WorkersKeyValueNamespace,
  { prefix = '' }: WorkersKeyValueOptions = {},
): KeyValueStore {
  return {
    async get(key) {
      const value = await namespace.get(prefix + key, 'arrayBuffer')
      return value === null ? undefined : new Uint8Array(value)
    },
    set: (key, value) => namespace.put(prefix + key, value),
    delete: (key) => namespace.delete(prefix + key),
    async keys() {
      const names: string[] = []
      let cursor: string | undefined
      do {
        const page = await namespace.list({ prefix, ...(cursor !== undefined && { cursor }) })
        for (const { name } of page.keys) names.push(name.slice(prefix.length))
        if (names.length > MAX_KEYS)
          throw new SpindleError('ERR_LIMIT_EXCEEDED', `the store has more than ${MAX_KEYS} keys`)
        cursor = page.list_complete ? undefined : page.cursor
      } while (cursor !== undefined)
      return names
    },
  }
}
