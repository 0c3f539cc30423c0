import { isSpindleError, SpindleError } from '../../../errors.ts'
import type { Ledger } from '../../budget.ts'
import type { HostInterface } from '../../component/abi/items.ts'
import { chain, isPromise } from '../../component/abi/runtime.ts'
import { err, ok, type Result } from '../wasi/result.ts'
import { FREE } from '../wasi/streams.ts'
import { streamOfItems } from '../wasi3/transfers.ts'
import type { KeyValueStore } from './key-value-store.ts'
import { type Answer, numbered, opener, settle, waitsAll } from './labelled.ts'

/** Finds the store of a label; `undefined` when there is none. */
export type OpenKeyValue = (label: string) => KeyValueStore | undefined

// The limit of Spin, in characters.
const MAX_KEY = 255

// Overhead per key in a list, besides its characters.
const NAME_BYTES = 48

// Errors of custom stores can contain paths or credentials: the guest learns only that the store failed.
const failed = (error: unknown): Result =>
  err({ tag: 'other', val: isSpindleError(error) ? error.message : 'the store failed' })

const trying = (action: () => unknown, shape?: (value: unknown) => unknown): Answer =>
  settle(action, failed, shape)

function checked(key: string, action: () => Answer): Answer {
  return key.length > MAX_KEY
    ? err({ tag: 'other', val: `key is longer than ${MAX_KEY}` })
    : action()
}

const get = (store: KeyValueStore, key: string): Answer => trying(() => store.get(key))
const set = (store: KeyValueStore, key: string, value: Uint8Array): Answer =>
  checked(key, () => trying(() => store.set(key, value)))
const remove = (store: KeyValueStore, key: string): Answer => trying(() => store.delete(key))
const exists = (store: KeyValueStore, key: string): Answer =>
  trying(
    () => store.get(key),
    (value) => value !== undefined,
  )

/** All keys of a store, charged while they are passed to the guest: their number is unbounded. */
const keys = (store: KeyValueStore, ledger: Ledger, hand = withdraw): Answer =>
  trying(
    () => store.keys(),
    (value) => {
      let bytes = 0
      const names: string[] = []
      try {
        for (const name of value as Iterable<string>) {
          const more = NAME_BYTES + 2 * name.length
          ledger.charge(more)
          bytes += more
          names.push(name)
        }
      } catch (error) {
        ledger.release(bytes)
        throw error
      }
      return hand(names, () => ledger.release(bytes))
    },
  )

/** Releases the charge at once, for lists that are charged again when they are lowered into the guest. */
function withdraw(names: readonly string[], release: () => void): unknown {
  release()
  return names
}

/** `allowed` are the labels that the component's manifest lists; `ledger` is charged for buffered values. */
export function createKeyValueHosts(
  allowed: readonly string[],
  find: OpenKeyValue,
  ledger: Ledger = FREE,
): Readonly<Record<string, HostInterface>> {
  const open = opener(allowed, find, 'no-such-store')
  const spin = waitsAll({
    '[static]store.open': open,
    '[method]store.get': get,
    '[method]store.set': set,
    '[method]store.delete': remove,
    '[method]store.exists': exists,
    '[method]store.get-keys': (store: KeyValueStore) => keys(store, ledger),
  })
  return {
    'fermyon:spin/key-value@2.0.0': spin,
    'spin:key-value/key-value@3.0.0': waitsAll({
      ...spin.functions,
      '[method]store.get-keys': async (store: KeyValueStore) => {
        const found = await keys(store, ledger, (names, release) =>
          streamOfItems(names, ok(), release),
        )
        return found.tag === 'ok' ? found.val : streamOfItems([], found)
      },
    }),
    'fermyon:spin/key-value': createNumbered(open, ledger),
    'wasi:keyvalue/store@0.2.0-draft2': waitsAll({
      open,
      '[method]bucket.get': get,
      '[method]bucket.set': set,
      '[method]bucket.delete': remove,
      '[method]bucket.exists': exists,
      '[method]bucket.list-keys': (store: KeyValueStore) =>
        keys(store, ledger, (names, release) => {
          release()
          return { keys: names, cursor: undefined }
        }),
    }),
    'wasi:keyvalue/batch@0.2.0-draft2': waitsAll({
      'get-many': (store: KeyValueStore, names: readonly string[]) =>
        trying(
          () => {
            // All values are buffered before the first one is returned.
            let held = 0
            const values = inTurn(names, (name) =>
              chain(store.get(name), (value) => {
                const bytes = NAME_BYTES + ((value as Uint8Array | undefined)?.length ?? 0)
                ledger.charge(bytes)
                held += bytes
                return value
              }),
            )
            return chain(values, (all) => {
              ledger.release(held)
              return all
            })
          },
          (values) => names.map((name, i) => [name, (values as unknown[])[i]]),
        ),
      'set-many': (store: KeyValueStore, pairs: ReadonlyArray<readonly [string, Uint8Array]>) =>
        trying(() =>
          together(store, () => inTurn(pairs, ([name, value]) => store.set(name, value))),
        ),
      'delete-many': (store: KeyValueStore, names: readonly string[]) =>
        trying(() => together(store, () => inTurn(names, (name) => store.delete(name)))),
    }),
    'wasi:keyvalue/atomics@0.2.0-draft2': createAtomics(ledger),
  }
}

function together(store: KeyValueStore, work: () => unknown): unknown {
  return store.together === undefined ? work() : store.together(work)
}

/** Runs the steps sequentially; returns a Promise only when a step does. */
function inTurn<T>(
  items: readonly T[],
  step: (item: T) => unknown,
  from = 0,
  done: unknown[] = [],
): unknown {
  for (let i = from; i < items.length; i++) {
    const value = step(items[i] as T)
    if (isPromise(value)) {
      return value.then((settled) => {
        done.push(settled)
        return inTurn(items, step, i + 1, done)
      })
    }
    done.push(value)
  }
  return done
}

/** The legacy interface without resources: stores are numbers, and a missing key is an error. */
function createNumbered(
  open: (label: string) => Result<KeyValueStore>,
  ledger: Ledger,
): HostInterface {
  const { functions, using } = numbered(open, 'invalid-store', { tag: 'store-table-full' })
  const legacy = (given: unknown): Result => {
    const result = given as Result
    const val = result.val as { tag?: string; val?: string } | undefined
    return result.tag === 'err' && val?.tag === 'other' ? err({ tag: 'io', val: val.val }) : result
  }
  const old = <Rest extends unknown[]>(action: (store: KeyValueStore, ...rest: Rest) => Answer) =>
    using((store: KeyValueStore, ...rest: Rest) => chain(action(store, ...rest), legacy))
  const present = (given: unknown): Result => {
    const result = given as Result
    return result.tag === 'ok' && result.val === undefined ? err({ tag: 'no-such-key' }) : result
  }
  return waitsAll({
    ...functions,
    get: old((store, key: string) => chain(get(store, key), present)),
    set: old(set),
    delete: old(remove),
    exists: old(exists),
    'get-keys': old((store) => keys(store, ledger)),
  })
}

interface Cas {
  readonly store: KeyValueStore
  readonly key: string
  seen?: Uint8Array | undefined
}

/** Atomic among requests of this handler if the store is synchronous. */
function createAtomics(ledger: Ledger): HostInterface {
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
  const keep = (cas: Cas, value: Uint8Array | undefined): Cas => {
    const before = cas.seen?.length ?? 0
    ledger.charge(value?.length ?? 0)
    ledger.release(before)
    cas.seen = value
    return cas
  }
  const current = (cas: Cas): unknown =>
    trying(() =>
      chain(cas.store.get(cas.key), (value) => keep(cas, value as Uint8Array | undefined).seen),
    )
  const storeError = (result: Result): Result =>
    result.tag === 'ok' ? result : err({ tag: 'store-error', val: result.val })
  return waitsAll({
    increment: (store: KeyValueStore, key: string, delta: bigint) =>
      trying(() =>
        together(store, () =>
          chain(store.get(key), (value) => {
            const next = BigInt.asIntN(64, decode(value as Uint8Array | undefined) + delta)
            return chain(store.set(key, encode(next)), () => next)
          }),
        ),
      ),
    // What holds a key must not hold one that could be of no value.
    '[static]cas.new': (store: KeyValueStore, key: string) =>
      checked(key, () => {
        const cas: Cas = { store, key }
        return chain(current(cas), (result) =>
          (result as Result).tag === 'ok' ? ok(cas) : result,
        ) as Answer
      }),
    '[method]cas.current': current,
    '[resource-drop]cas': (cas: Cas) => void keep(cas, undefined),
    // Takes the resource away: what it has seen is held until then.
    swap: (cas: Cas, value: Uint8Array) => {
      const exchange = (): unknown =>
        chain(
          trying(() => cas.store.get(cas.key)),
          (read) => {
            const result = read as Result
            const { seen } = cas
            keep(cas, undefined)
            if (result.tag === 'err') return storeError(result)
            if (!same(result.val as Uint8Array | undefined, seen)) {
              return err({
                tag: 'cas-failed',
                val: keep({ store: cas.store, key: cas.key }, result.val as Uint8Array | undefined),
              })
            }
            return chain(
              trying(() => cas.store.set(cas.key, value)),
              (written) => storeError(written as Result),
            )
          },
        )
      try {
        return together(cas.store, exchange)
      } catch (error) {
        return storeError(failed(error))
      }
    },
  })
}
