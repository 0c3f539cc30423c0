import { expect, it } from 'vitest'
import { createMemoryStorage } from '../../../src/serve/storage/memory.ts'
import { describeStorage } from './contract.ts'

describeStorage('memory', async () => {
  const storage = createMemoryStorage()
  return { storage, open: () => storage }
})

it('refuses to grow beyond its limit, and frees what is deleted', async () => {
  const storage = createMemoryStorage({ maxBytes: 100 })
  await storage.put('a', new Uint8Array(60))
  await expect(storage.put('b', new Uint8Array(60))).rejects.toMatchObject({
    code: 'ERR_LIMIT_EXCEEDED',
  })
  await expect(storage.put('b', new Blob([new Uint8Array(60)]))).rejects.toMatchObject({
    code: 'ERR_LIMIT_EXCEEDED',
  })
  await storage.put('a', new Uint8Array(100))
  await storage.delete('a')
  await storage.put('b', new Uint8Array(100))
  expect(await storage.head('b')).toMatchObject({ size: 100 })
})
