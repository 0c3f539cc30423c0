import { describe, expect, it } from 'vitest'
import {
  createIndexedDbKeyValue,
  createMemoryKeyValue,
  type KeyValueStore,
} from '../../src/run/index.ts'

const hasIndexedDb = typeof indexedDB !== 'undefined'
const KINDS: ReadonlyArray<readonly [string, () => KeyValueStore]> = [
  ['in memory', () => createMemoryKeyValue()],
  ...(hasIndexedDb
    ? [['in IndexedDB', () => createIndexedDbKeyValue(crypto.randomUUID())] as const]
    : []),
]

describe.each(KINDS)('a store %s', (_, create) => {
  it('gives back what was set, until it is deleted', async () => {
    const store = create()
    expect(await store.get('a')).toBeUndefined()
    await store.set('a', Uint8Array.of(1, 2))
    await store.set('__proto__', Uint8Array.of())
    expect(await store.get('a')).toEqual(Uint8Array.of(1, 2))
    expect(await store.get('__proto__')).toEqual(Uint8Array.of())
    expect([...(await store.keys())].sort()).toEqual(['__proto__', 'a'])
    await store.delete('a')
    await store.delete('never')
    expect(await store.get('a')).toBeUndefined()
  })

  it('keeps its own copy', async () => {
    const store = create()
    const value = Uint8Array.of(1)
    await store.set('a', value)
    value[0] = 9
    expect(await store.get('a')).toEqual(Uint8Array.of(1))
  })
})

describe('a store in memory', () => {
  it('is full at its limit, and counts what was freed', async () => {
    const store = createMemoryKeyValue({ maxBytes: 10 })
    await store.set('a', new Uint8Array(8))
    expect(() => store.set('b', new Uint8Array(8))).toThrow(/full/)
    await store.set('a', new Uint8Array(2))
    await store.set('b', new Uint8Array(6))
    await store.delete('b')
    await store.set('c', new Uint8Array(6))
  })
})

describe('a store in IndexedDB', () => {
  it(
    hasIndexedDb ? 'is still there when it is opened again' : 'is refused where there is none',
    async () => {
      if (!hasIndexedDb) {
        expect(() => createIndexedDbKeyValue('x')).toThrow(/no IndexedDB/)
        return
      }
      const name = crypto.randomUUID()
      await createIndexedDbKeyValue(name).set('a', Uint8Array.of(7))
      expect(await createIndexedDbKeyValue(name).get('a')).toEqual(Uint8Array.of(7))
    },
  )

  if (hasIndexedDb)
    it('goes on, empty, when another page deletes its database', async () => {
      const name = crypto.randomUUID()
      const store = createIndexedDbKeyValue(name)
      await store.set('a', Uint8Array.of(7))
      await new Promise((resolve, reject) => {
        const request = indexedDB.deleteDatabase(`spindle-key-value/${name}`)
        request.onsuccess = resolve
        request.onerror = reject
      })
      expect(await store.get('a')).toBeUndefined()
      await store.set('a', Uint8Array.of(8))
      expect(await store.get('a')).toEqual(Uint8Array.of(8))
    })
})
