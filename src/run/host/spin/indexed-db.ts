import { SpindleError } from '../../../errors.ts'
import type { KeyValueStore } from './key-value-store.ts'

const STORE = 'values'

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('IndexedDB failed'))
  })
}

/** Resolves when the transaction has completed: until then, a write can be rolled back. */
function completed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error ?? new Error('IndexedDB gave up'))
  })
}

/**
 * A persistent store in the browser's IndexedDB under `name`.
 *
 * Exported from `spindle/run`. Its methods are asynchronous, so it needs an engine with JSPI. Use a
 * separate name for each application and label.
 *
 * @example Keep what an application stores
 * createAppHandler(app, { keyValue: (label) => createIndexedDbKeyValue(`my-app/${label}`) })
 *
 * Throws `ERR_UNSUPPORTED` where there is no IndexedDB.
 */
export function createIndexedDbKeyValue(name: string): KeyValueStore {
  if (typeof indexedDB === 'undefined') {
    throw new SpindleError(
      'ERR_UNSUPPORTED',
      'there is no IndexedDB here: use createMemoryKeyValue, or a store of your own',
    )
  }
  let opened: Promise<IDBDatabase> | undefined
  /** The next call opens it again. */
  const forget = (): void => {
    opened = undefined
  }
  const open = (): Promise<IDBDatabase> => {
    opened ??= connect(name, forget).catch((error: unknown) => {
      forget()
      throw error
    })
    return opened
  }
  const read = async <T>(use: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> =>
    settled(use((await open()).transaction(STORE, 'readonly').objectStore(STORE)))
  const write = async (use: (store: IDBObjectStore) => void): Promise<void> => {
    const transaction = (await open()).transaction(STORE, 'readwrite')
    use(transaction.objectStore(STORE))
    return completed(transaction)
  }
  return {
    get: async (key) =>
      (await read((store) => store.get(key) as IDBRequest<Uint8Array | undefined>)) ?? undefined,
    set: (key, value) => write((store) => void store.put(value, key)),
    delete: (key) => write((store) => void store.delete(key)),
    keys: async () => (await read((store) => store.getAllKeys())) as string[],
  }
}

async function connect(name: string, onGone: () => void): Promise<IDBDatabase> {
  const request = indexedDB.open(`spindle-key-value/${name}`, 1)
  request.onupgradeneeded = () => request.result.createObjectStore(STORE)
  const database = await settled(request)
  // Another page wants to delete or upgrade the database; an open connection would block it.
  database.onversionchange = () => {
    database.close()
    onGone()
  }
  // The browser closed the connection, for example because the data was cleared.
  database.onclose = onGone
  return database
}
