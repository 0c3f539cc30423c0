import { describe, expect, it } from 'vitest'
import { createMemoryKeyValue, type KeyValueStore } from '../../src/run/index.ts'
import { createKeyValueHosts } from '../../src/run/host/spin/key-value.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The store as one that answers later, as those over a network do. */
function later(store: KeyValueStore): KeyValueStore {
  return {
    get: async (key) => store.get(key),
    set: async (key, value) => store.set(key, value),
    delete: async (key) => store.delete(key),
    keys: async () => store.keys(),
  }
}

function hosts(store: KeyValueStore) {
  const all = createKeyValueHosts(['default', 'none'], (label) =>
    label === 'default' ? store : undefined,
  )
  return (name: string, method: string, ...args: unknown[]): unknown => {
    const { functions = {} } = all[name] ?? {}
    return (functions[method] as (...args: unknown[]) => unknown)(...args)
  }
}

describe.each([
  ['at once', (store: KeyValueStore) => store],
  ['later', later],
])('a store that answers %s', (_, shape) => {
  const WASI = 'wasi:keyvalue/store@0.2.0-draft2'
  const BATCH = 'wasi:keyvalue/batch@0.2.0-draft2'
  const ATOMICS = 'wasi:keyvalue/atomics@0.2.0-draft2'

  it('opens by the labels that the component lists', async () => {
    const call = hosts(shape(createMemoryKeyValue()))
    expect(await call(WASI, 'open', 'other')).toEqual({ tag: 'err', val: { tag: 'access-denied' } })
    expect(await call(WASI, 'open', 'none')).toEqual({ tag: 'err', val: { tag: 'no-such-store' } })
    expect(await call(WASI, 'open', 'default')).toMatchObject({ tag: 'ok' })
  })

  it('takes and gives many at once', async () => {
    const store = shape(createMemoryKeyValue())
    const call = hosts(store)
    await call(BATCH, 'set-many', store, [
      ['a', bytes('1')],
      ['b', bytes('2')],
    ])
    await call(BATCH, 'delete-many', store, ['b'])
    expect(await call(BATCH, 'get-many', store, ['a', 'b'])).toEqual({
      tag: 'ok',
      val: [
        ['a', bytes('1')],
        ['b', undefined],
      ],
    })
    expect(await call(WASI, '[method]bucket.list-keys', store, undefined)).toEqual({
      tag: 'ok',
      val: { keys: ['a'], cursor: undefined },
    })
  })

  it('counts, and refuses to count what is no number', async () => {
    const store = shape(createMemoryKeyValue())
    const call = hosts(store)
    expect(await call(ATOMICS, 'increment', store, 'n', 5n)).toEqual({ tag: 'ok', val: 5n })
    expect(await call(ATOMICS, 'increment', store, 'n', -7n)).toEqual({ tag: 'ok', val: -2n })
    await store.set('text', bytes('x'))
    expect(await call(ATOMICS, 'increment', store, 'text', 1n)).toMatchObject({
      tag: 'err',
      val: { tag: 'other' },
    })
  })

  it('swaps only what nobody has changed', async () => {
    const store = shape(createMemoryKeyValue())
    const call = hosts(store)
    const made = (await call(ATOMICS, '[static]cas.new', store, 'k')) as { val: unknown }
    expect(await call(ATOMICS, '[method]cas.current', made.val)).toEqual({
      tag: 'ok',
      val: undefined,
    })
    await store.set('k', bytes('between'))
    const failed = (await call(ATOMICS, 'swap', made.val, bytes('mine'))) as {
      tag: string
      val: { tag: string; val: unknown }
    }
    expect([failed.tag, failed.val.tag]).toEqual(['err', 'cas-failed'])
    expect(await call(ATOMICS, 'swap', failed.val.val, bytes('mine'))).toEqual({
      tag: 'ok',
      val: undefined,
    })
    expect(await store.get('k')).toEqual(bytes('mine'))
  })

  it('has numbers for older components', async () => {
    const call = hosts(shape(createMemoryKeyValue()))
    const { val: id } = (await call('fermyon:spin/key-value', 'open', 'default')) as {
      val: unknown
    }
    expect(await call('fermyon:spin/key-value', 'get', id, 'a')).toEqual({
      tag: 'err',
      val: { tag: 'no-such-key' },
    })
    await call('fermyon:spin/key-value', 'set', id, 'a', bytes('1'))
    expect(await call('fermyon:spin/key-value', 'get', id, 'a')).toEqual({
      tag: 'ok',
      val: bytes('1'),
    })
    await call('fermyon:spin/key-value', 'close', id)
    expect(await call('fermyon:spin/key-value', 'get', id, 'a')).toEqual({
      tag: 'err',
      val: { tag: 'invalid-store' },
    })
  })

  it('keeps so many numbers and no more, until one is closed', async () => {
    const call = hosts(shape(createMemoryKeyValue()))
    const open = (): unknown => call('fermyon:spin/key-value', 'open', 'default')
    for (let i = 1; i <= 256; i++) expect(open()).toEqual({ tag: 'ok', val: i })
    expect(open()).toEqual({ tag: 'err', val: { tag: 'store-table-full' } })
    await call('fermyon:spin/key-value', 'close', 7)
    expect(open()).toEqual({ tag: 'ok', val: 257 })
  })

  it('tells a component that it failed, and nothing of where it is', async () => {
    const failing = (): never => {
      throw new Error('no connection to db.internal')
    }
    const store = shape({ get: failing, set: failing, delete: failing, keys: failing })
    expect(
      await hosts(store)('fermyon:spin/key-value@2.0.0', '[method]store.get', store, 'k'),
    ).toEqual({
      tag: 'err',
      val: { tag: 'other', val: 'the store failed' },
    })
  })
})
