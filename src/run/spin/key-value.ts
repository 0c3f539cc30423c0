import { isSpindleError, SpindleError } from '../../errors.ts'
import type { HostInterface } from '../component/items.ts'
import { err, ok, type Result } from '../wasi/result.ts'
import { streamOfItems } from '../wasi3/transfers.ts'
import type { KeyValueStore } from './key-value-store.ts'

/** Finds the store of a label; `undefined` when there is none. */
export type OpenKeyValue = (label: string) => KeyValueStore | undefined

// As Spin has it: keys are short, values fit a request.
const LONGEST_KEY = 255

function settle(
  action: () => unknown,
  then: (value: unknown) => unknown = () => undefined,
): Result | Promise<Result> {
  // What another store says may name its place or key: the guest learns only that it failed.
  const failed = (error: unknown): Result =>
    err({ tag: 'other', val: isSpindleError(error) ? error.message : 'the store failed' })
  try {
    const value = action()
    return value instanceof Promise
      ? value.then((settled) => ok(then(settled)), failed)
      : ok(then(value))
  } catch (error) {
    return failed(error)
  }
}

function checked(key: string, action: () => Result | Promise<Result>): Result | Promise<Result> {
  return key.length > LONGEST_KEY
    ? err({ tag: 'other', val: `key is longer than ${LONGEST_KEY}` })
    : action()
}

const get = (store: KeyValueStore, key: string): Result | Promise<Result> =>
  settle(
    () => store.get(key),
    (value) => value,
  )
const set = (store: KeyValueStore, key: string, value: Uint8Array): Result | Promise<Result> =>
  checked(key, () => settle(() => store.set(key, value)))
const remove = (store: KeyValueStore, key: string): Result | Promise<Result> =>
  settle(() => store.delete(key))
const exists = (store: KeyValueStore, key: string): Result | Promise<Result> =>
  settle(
    () => store.get(key),
    (value) => value !== undefined,
  )
const keys = (store: KeyValueStore): Result | Promise<Result> =>
  settle(
    () => store.keys(),
    (value) => [...(value as Iterable<string>)],
  )

function waitsAll(functions: HostInterface['functions']): HostInterface {
  return { functions, waits: new Set(Object.keys(functions)) }
}

/** `allowed` are the labels that the component's manifest lists. */
export function createKeyValueHosts(
  allowed: readonly string[],
  find: OpenKeyValue,
): Readonly<Record<string, HostInterface>> {
  const open = (label: string): Result<KeyValueStore> => {
    if (!allowed.includes(label)) return err({ tag: 'access-denied' }) as Result<KeyValueStore>
    const store = find(label)
    return (
      store === undefined ? err({ tag: 'no-such-store' }) : ok(store)
    ) as Result<KeyValueStore>
  }
  const spin = waitsAll({
    '[static]store.open': open,
    '[method]store.get': get,
    '[method]store.set': set,
    '[method]store.delete': remove,
    '[method]store.exists': exists,
    '[method]store.get-keys': keys,
  })
  return {
    'fermyon:spin/key-value@2.0.0': spin,
    'spin:key-value/key-value@3.0.0': waitsAll({
      ...spin.functions,
      '[method]store.get-keys': async (store: KeyValueStore) => {
        const found = await keys(store)
        return found.tag === 'ok'
          ? streamOfItems(found.val as readonly string[])
          : streamOfItems([], found)
      },
    }),
    'fermyon:spin/key-value': createNumbered(open),
    'wasi:keyvalue/store@0.2.0-draft2': waitsAll({
      open,
      '[method]bucket.get': get,
      '[method]bucket.set': set,
      '[method]bucket.delete': remove,
      '[method]bucket.exists': exists,
      '[method]bucket.list-keys': (store: KeyValueStore) =>
        settle(
          () => store.keys(),
          (value) => ({ keys: [...(value as Iterable<string>)], cursor: undefined }),
        ),
    }),
    'wasi:keyvalue/batch@0.2.0-draft2': waitsAll({
      'get-many': (store: KeyValueStore, names: readonly string[]) =>
        settle(
          () => inTurn(names, (name) => store.get(name)),
          (values) => names.map((name, i) => [name, (values as unknown[])[i]]),
        ),
      'set-many': (store: KeyValueStore, pairs: ReadonlyArray<readonly [string, Uint8Array]>) =>
        settle(() => inTurn(pairs, ([name, value]) => store.set(name, value))),
      'delete-many': (store: KeyValueStore, names: readonly string[]) =>
        settle(() => inTurn(names, (name) => store.delete(name))),
    }),
    'wasi:keyvalue/atomics@0.2.0-draft2': createAtomics(),
  }
}

/** One after the other; a Promise only when an answer is one. */
function inTurn<T>(
  items: readonly T[],
  step: (item: T) => unknown,
  from = 0,
  done: unknown[] = [],
): unknown {
  for (let i = from; i < items.length; i++) {
    const value = step(items[i] as T)
    if (value instanceof Promise) {
      return value.then((settled) => inTurn(items, step, i + 1, [...done, settled]))
    }
    done.push(value)
  }
  return done
}

/** The interface before resources: stores are numbers, and absence is an error. */
function createNumbered(open: (label: string) => Result<KeyValueStore>): HostInterface {
  const stores = new Map<number, KeyValueStore>()
  let last = 0
  const legacy = (result: Result): Result => {
    const val = result.val as { tag?: string; val?: string } | undefined
    return result.tag === 'err' && val?.tag === 'other' ? err({ tag: 'io', val: val.val }) : result
  }
  const using =
    (action: (store: KeyValueStore, ...rest: never[]) => Result | Promise<Result>) =>
    (id: number, ...rest: unknown[]): Result | Promise<Result> => {
      const store = stores.get(id)
      if (store === undefined) return err({ tag: 'invalid-store' })
      const result = action(store, ...(rest as never[]))
      return result instanceof Promise ? result.then(legacy) : legacy(result)
    }
  const present = (result: Result): Result =>
    result.tag === 'ok' && result.val === undefined ? err({ tag: 'no-such-key' }) : result
  return waitsAll({
    open: (label: string) => {
      const opened = open(label)
      if (opened.tag === 'err') return opened
      stores.set(++last, opened.val as KeyValueStore)
      return ok(last)
    },
    get: using((store, key: string) => {
      const result = get(store, key)
      return result instanceof Promise ? result.then(present) : present(result)
    }),
    set: using(set),
    delete: using(remove),
    exists: using(exists),
    'get-keys': using(keys),
    close: (id: number) => void stores.delete(id),
  })
}

interface Cas {
  readonly store: KeyValueStore
  readonly key: string
  seen?: Uint8Array | undefined
}

/** Atomic among requests of this handler, as long as the store answers at once. */
function createAtomics(): HostInterface {
  const decode = (value: Uint8Array | undefined): bigint => {
    if (value === undefined) return 0n
    if (value.length !== 8)
      throw new SpindleError('ERR_CONTENT_INVALID', 'the value is no 64-bit number')
    return new DataView(value.buffer, value.byteOffset).getBigInt64(0, true)
  }
  const encode = (value: bigint): Uint8Array => {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setBigInt64(0, value, true)
    return bytes
  }
  const same = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
    a === b ||
    (a !== undefined &&
      b !== undefined &&
      a.length === b.length &&
      a.every((byte, i) => byte === b[i]))
  const after = (value: unknown, step: (value: unknown) => unknown): unknown =>
    value instanceof Promise ? value.then(step) : step(value)
  const current = (cas: Cas): unknown =>
    settle(
      () => after(cas.store.get(cas.key), (value) => (cas.seen = value as Uint8Array | undefined)),
      (value) => value,
    )
  const storeError = (result: Result): Result =>
    result.tag === 'ok' ? result : err({ tag: 'store-error', val: result.val })
  return waitsAll({
    increment: (store: KeyValueStore, key: string, delta: bigint) =>
      settle(
        () =>
          after(store.get(key), (value) => {
            const next = BigInt.asIntN(64, decode(value as Uint8Array | undefined) + delta)
            return after(store.set(key, encode(next)), () => next)
          }),
        (value) => value,
      ),
    '[static]cas.new': (store: KeyValueStore, key: string) => {
      const cas: Cas = { store, key }
      return after(current(cas), (result) => ((result as Result).tag === 'ok' ? ok(cas) : result))
    },
    '[method]cas.current': current,
    swap: (cas: Cas, value: Uint8Array) =>
      after(
        settle(
          () => cas.store.get(cas.key),
          (seen) => seen,
        ),
        (read) => {
          const result = read as Result
          if (result.tag === 'err') return storeError(result)
          if (!same(result.val as Uint8Array | undefined, cas.seen)) {
            return err({
              tag: 'cas-failed',
              val: { ...cas, seen: result.val as Uint8Array | undefined } satisfies Cas,
            })
          }
          return after(
            settle(() => cas.store.set(cas.key, value)),
            (written) => storeError(written as Result),
          )
        },
      ),
  })
}
